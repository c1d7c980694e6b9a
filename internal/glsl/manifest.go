package glsl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// ManifestFile is the manifest's path inside the folder of the shaders.
const ManifestFile = "spv/MANIFEST"

// A Manifest says out of what each module in spv/ was built, by variant name.
type Manifest map[string]Entry

// An Entry is one line of the manifest; both are SHA-256 in hex.
type Entry struct {
	Source string // Variant.Digest when it was built
	SPIRV  string // of the bytes of spv/NAME.spv
}

// ReadManifest reads the manifest in fsys, the folder of the shaders.
func ReadManifest(fsys fs.FS) (Manifest, error) {
	data, err := fs.ReadFile(fsys, ManifestFile)
	if err != nil {
		return nil, err
	}
	m := Manifest{}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 3 || len(f[1]) != 2*sha256.Size || len(f[2]) != 2*sha256.Size {
			return nil, fmt.Errorf("%s:%d: want a name and two SHA-256 sums, got %q", ManifestFile, i+1, line)
		}
		m[f[0]] = Entry{Source: f[1], SPIRV: f[2]}
	}
	return m, nil
}

// String is the manifest's file, lines sorted by name.
func (m Manifest) String() string {
	var s strings.Builder
	s.WriteString("# Written by tools/glslc.sh: variant, SHA-256 of its source, SHA-256 of its SPIR-V.\n")
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintln(&s, name, m[name].Source, m[name].SPIRV)
	}
	return s.String()
}

// Sum is the hex SHA-256 of a module.
func Sum(spirv []byte) string {
	sum := sha256.Sum256(spirv)
	return hex.EncodeToString(sum[:])
}

// Check compares the sources in fsys, the folder of the shaders, with the committed SPIR-V. The
// error has one line for each module that is stale, missing, altered or without a source.
func Check(fsys fs.FS) error {
	variants, err := Variants(fsys)
	if err != nil {
		return err
	}
	manifest, err := ReadManifest(fsys)
	if err != nil {
		return err
	}
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }

	declared := map[string]bool{}
	for _, v := range variants {
		declared[v.Name] = true
		entry, ok := manifest[v.Name]
		switch {
		case !ok:
			say("%s: variant %s was never built; run tools/glslc.sh", v.File, v.Name)
		case entry.Source != v.Digest:
			say("%s: changed since spv/%s.spv was built; run tools/glslc.sh", v.File, v.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(manifest)) {
		if !declared[name] {
			say("%s: no shader declares %s; run tools/glslc.sh", ManifestFile, name)
		}
		data, err := fs.ReadFile(fsys, "spv/"+name+".spv")
		switch {
		case err != nil:
			say("spv/%s.spv: in the manifest, but %v", name, err)
		case Sum(data) != manifest[name].SPIRV:
			say("spv/%s.spv: not the bytes that the manifest records; run tools/glslc.sh", name)
		}
	}
	modules, err := fs.Glob(fsys, "spv/*.spv")
	if err != nil {
		return err
	}
	for _, file := range modules {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "spv/"), ".spv")
		if _, ok := manifest[name]; !ok {
			say("%s: not in the manifest", file)
		}
	}
	return errors.Join(wrong...)
}
