// Package glsl reads the shader sources: which variants a .comp file declares, and whether the
// committed SPIR-V was built from the sources that lie beside it.
//
// A shader declares its variants in comment lines, one line per axis:
//
//	//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16,LANES=8
//	//! axis: access texel=TEXEL ssbo
//
// The product of all axes is built, here stem.f32.texel, stem.f32.ssbo, stem.f16.texel and
// stem.f16.ssbo. A key's defines are separated by commas; a key without "=" defines nothing. A
// shader without an axis has one variant, named by its stem.
//
// An axis without keys, such as
//
//	//! axis: weight
//
// has a key for each folder in include/weight, and its variant finds what it includes there, too.
package glsl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Flags are the compiler's flags: -g for the names of what a shader is told, which its caller is checked
// against. They are part of every digest: changing them makes all SPIR-V stale.
const Flags = "-Werror -O -g --target-env=vulkan1.1"

// TargetEnv is what spirv-val checks the result against.
const TargetEnv = "vulkan1.1"

// A Variant is one module to be built out of a shader source.
type Variant struct {
	Name    string   // "gemv.f32.texel": the stem and one key per axis
	File    string   // "gemv.comp"
	Defines []string // "WEIGHT_F32", "LANES=8"
	Folders []string // where includes are looked for: "include", "include/weight/f32"
	Digest  string   // hex SHA-256 of the flags, the defines and the source with its includes
}

// Variants lists the variants of every .comp file in fsys, the folder of the shaders, ordered by
// file and within a file as the axes declare them. Includes are looked for beside the file that
// names them, then in the variant's folders.
func Variants(fsys fs.FS) ([]Variant, error) {
	files, err := fs.Glob(fsys, "*.comp")
	if err != nil {
		return nil, err
	}
	var all []Variant
	taken := map[string]string{}
	for _, file := range files {
		variants, err := declared(fsys, file)
		if err != nil {
			return nil, err
		}
		for _, v := range variants {
			if other, ok := taken[v.Name]; ok {
				return nil, fmt.Errorf("%s: variant %s is already declared by %s", file, v.Name, other)
			}
			taken[v.Name] = file
			text, err := resolve(fsys, file, v.Folders, map[string]bool{})
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256([]byte(Flags + "\n" + strings.Join(v.Defines, " ") + "\n" + text))
			v.Digest = hex.EncodeToString(sum[:])
			all = append(all, v)
		}
	}
	return all, nil
}

// declared returns the product of a file's axes, without digests.
func declared(fsys fs.FS, file string) ([]Variant, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	variants := []Variant{{Name: strings.TrimSuffix(file, ".comp"), File: file, Folders: []string{"include"}}}
	for i, line := range strings.Split(string(data), "\n") {
		rest, ok := strings.CutPrefix(line, "//!")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[0] != "axis:" {
			return nil, fmt.Errorf("%s:%d: %q is not of the form //! axis: name key=DEFINE,DEFINE key", file, i+1, line)
		}
		keys, folders := fields[2:], ""
		if len(keys) == 0 {
			folders = "include/" + fields[1] + "/"
			if keys = foldersIn(fsys, path.Clean(folders)); len(keys) == 0 {
				return nil, fmt.Errorf("%s:%d: %q: there are no folders in %s", file, i+1, line, folders)
			}
		}
		var product []Variant
		for _, v := range variants {
			for _, key := range keys {
				product = append(product, v.with(key, folders))
			}
		}
		variants = product
	}
	return variants, nil
}

// with is v with one more key, and of an axis of folders that of its name.
func (v Variant) with(key, folders string) Variant {
	key, defines, _ := strings.Cut(key, "=")
	v.Name += "." + key
	v.Defines, v.Folders = slices.Clone(v.Defines), slices.Clone(v.Folders)
	if defines != "" {
		v.Defines = append(v.Defines, strings.Split(defines, ",")...)
	}
	if folders != "" {
		v.Folders = append(v.Folders, folders+key)
	}
	return v
}

// foldersIn lists the folders in a folder, sorted by name.
func foldersIn(fsys fs.FS, folder string) (names []string) {
	entries, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil // none
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

var includeLine = regexp.MustCompile(`^\s*#\s*include\s+"([^"]+)"`)

// resolve returns the text of file with every file it includes put in place of its first #include.
// A later #include of the same file stays as it is and axis lines go: the text is hashed, not compiled.
func resolve(fsys fs.FS, file string, folders []string, seen map[string]bool) (string, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return "", err
	}
	seen[file] = true
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "//!") {
			continue // a new key must not make the modules of the others stale
		}
		m := includeLine.FindStringSubmatch(line)
		if m == nil {
			text.WriteString(line)
			continue
		}
		found := find(fsys, m[1], append([]string{path.Dir(file)}, folders...))
		switch {
		case found == "":
			return "", fmt.Errorf("%s: included file %q not found", file, m[1])
		case seen[found]:
			text.WriteString(line)
		default:
			inner, err := resolve(fsys, found, folders, seen)
			if err != nil {
				return "", err
			}
			text.WriteString(inner)
		}
	}
	return text.String(), nil
}

// find is the path of a file in the first of the folders that has it, "" when none does.
func find(fsys fs.FS, file string, folders []string) string {
	for _, folder := range folders {
		p := path.Join(folder, file)
		if _, err := fs.Stat(fsys, p); err == nil {
			return p
		}
	}
	return ""
}
