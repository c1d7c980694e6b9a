package glsl

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a folder of shaders as tools/glslc.sh leaves it, with made-up SPIR-V.
func tree(t *testing.T) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{
		"gate.comp":                      {Data: []byte("#version 450\n#include \"silu.glsl\"\nvoid main() {}\n")},
		"gemv.comp":                      {Data: []byte("#version 450\n//! axis: weight f32=F32 f16=F16,LANES=8\n//! axis: access texel=TEXEL ssbo\nvoid main() {}")},
		"read.comp":                      {Data: []byte("#version 450\n//! axis: format\n#include \"weight.glsl\"\nvoid main() {}\n")},
		"include/weight.glsl":            {Data: []byte("#include \"format.glsl\"\n")},
		"include/format/f32/format.glsl": {Data: []byte("#define BLOCK 1\n")},
		"include/format/q8/format.glsl":  {Data: []byte("#define BLOCK 32\n")},
		"include/silu.glsl":              {Data: []byte("#include \"exp.glsl\"\nfloat silu(float x) { return x / (1 + e(-x)); }\n")},
		"include/exp.glsl":               {Data: []byte("float e(float x) { return exp(x); }\n")},
	}
	variants, err := Variants(fsys)
	if err != nil {
		t.Fatal(err)
	}
	manifest := Manifest{}
	for _, v := range variants {
		spirv := []byte("SPIR-V of " + v.Name)
		fsys["spv/"+v.Name+".spv"] = &fstest.MapFile{Data: spirv}
		manifest[v.Name] = Entry{Source: v.Digest, SPIRV: Sum(spirv)}
	}
	fsys[ManifestFile] = &fstest.MapFile{Data: []byte(manifest.String())}
	return fsys
}

func TestVariants(t *testing.T) {
	variants, err := Variants(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	digests := map[string]bool{}
	for _, v := range variants {
		got = append(got, v.Name+": "+strings.Join(append(v.Defines, v.Folders[1:]...), " "))
		digests[v.Digest] = true
	}
	want := []string{
		"gate: ",
		"gemv.f32.texel: F32 TEXEL", "gemv.f32.ssbo: F32",
		"gemv.f16.texel: F16 LANES=8 TEXEL", "gemv.f16.ssbo: F16 LANES=8",
		"read.f32: include/format/f32", "read.q8: include/format/q8",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(digests) != len(want) {
		t.Errorf("%d variants have %d digests", len(want), len(digests))
	}
}

func TestCheck(t *testing.T) {
	if err := Check(tree(t)); err != nil {
		t.Fatalf("an up-to-date tree: %v", err)
	}
	tests := []struct {
		name   string
		change func(fstest.MapFS)
		want   string
	}{
		{"source", func(f fstest.MapFS) { f["gate.comp"].Data = append(f["gate.comp"].Data, "//\n"...) },
			"gate.comp: changed since spv/gate.spv was built; run tools/glslc.sh"},
		{"nested include", func(f fstest.MapFS) { f["include/exp.glsl"].Data = []byte("float e(float x) { return exp2(x); }\n") },
			"gate.comp: changed since spv/gate.spv was built; run tools/glslc.sh"},
		{"value of a define", func(f fstest.MapFS) { replace(f, "gemv.comp", "LANES=8", "LANES=4") },
			"gemv.comp: changed since spv/gemv.f16.texel.spv was built; run tools/glslc.sh"},
		{"new key", func(f fstest.MapFS) { replace(f, "gemv.comp", " ssbo", " ssbo ubo=UBO") },
			"gemv.comp: variant gemv.f32.ubo was never built; run tools/glslc.sh"},
		{"source gone", func(f fstest.MapFS) { delete(f, "gate.comp") },
			"spv/MANIFEST: no shader declares gate; run tools/glslc.sh"},
		{"module gone", func(f fstest.MapFS) { delete(f, "spv/gate.spv") },
			"spv/gate.spv: in the manifest, but open spv/gate.spv: file does not exist"},
		{"module altered", func(f fstest.MapFS) { replace(f, "spv/gate.spv", "gate", "gat3") },
			"spv/gate.spv: not the bytes that the manifest records; run tools/glslc.sh"},
		{"stray module", func(f fstest.MapFS) { f["spv/old.spv"] = f["spv/gate.spv"] },
			"spv/old.spv: not in the manifest"},
		{"manifest line", func(f fstest.MapFS) { replace(f, ManifestFile, "\ngate ", "\ngate x ") },
			"spv/MANIFEST:2: want a name and two SHA-256 sums"},
		{"include gone", func(f fstest.MapFS) { delete(f, "include/exp.glsl") },
			`include/silu.glsl: included file "exp.glsl" not found`},
		{"axis without keys", func(f fstest.MapFS) { replace(f, "gemv.comp", "weight f32=F32 f16=F16,LANES=8", "weight") },
			`gemv.comp:2: "//! axis: weight": there are no folders in include/weight/`},
		{"axis without a name", func(f fstest.MapFS) { replace(f, "gemv.comp", "axis: weight f32=F32 f16=F16,LANES=8", "axis:") },
			`gemv.comp:2: "//! axis:" is not of the form`},
		{"new folder", func(f fstest.MapFS) { f["include/format/f64/format.glsl"] = f["include/format/q8/format.glsl"] },
			"read.comp: variant read.f64 was never built; run tools/glslc.sh"},
		{"folder gone", func(f fstest.MapFS) { delete(f, "include/format/q8/format.glsl") },
			"spv/MANIFEST: no shader declares read.q8; run tools/glslc.sh"},
		{"file of a folder", func(f fstest.MapFS) { replace(f, "include/format/q8/format.glsl", "32", "256") },
			"read.comp: changed since spv/read.q8.spv was built; run tools/glslc.sh"},
		{"file of all folders", func(f fstest.MapFS) { replace(f, "include/weight.glsl", "format.glsl", "shape.glsl") },
			`include/weight.glsl: included file "shape.glsl" not found`},
		{"same variant twice", func(f fstest.MapFS) { replace(f, "gemv.comp", "texel=TEXEL ssbo", "ssbo=TEXEL ssbo") },
			"gemv.comp: variant gemv.f32.ssbo is already declared by gemv.comp"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := tree(t)
			before := maps.Clone(fsys)
			test.change(fsys)
			err := Check(fsys)
			if err == nil {
				t.Fatalf("nothing found; the tree had %d files, now %d", len(before), len(fsys))
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v\nwant %v", err, test.want)
			}
		})
	}
}

func replace(fsys fstest.MapFS, file, old, new string) {
	fsys[file] = &fstest.MapFile{Data: []byte(strings.Replace(string(fsys[file].Data), old, new, 1))}
}
