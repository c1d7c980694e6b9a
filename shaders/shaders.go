// Package shaders holds the compute shaders as SPIR-V, built by tools/glslc.sh out of the GLSL
// that lies beside this file. How a shader declares its variants is told in internal/glsl.
package shaders

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

//go:embed spv
var modules embed.FS

// Load returns the SPIR-V of a variant, such as "gemv.f32.texel": the stem of the .comp file and
// one key for each of its axes.
func Load(name string) ([]byte, error) {
	if code, ok := swapped.Load(name); ok {
		return code.([]byte), nil
	}
	data, err := modules.ReadFile("spv/" + name + ".spv")
	if err != nil {
		return nil, fmt.Errorf("shader %q is not built in", name)
	}
	return data, nil
}

// Has says whether a variant is built in.
func Has(name string) bool {
	_, err := fs.Stat(modules, "spv/"+name+".spv")
	return err == nil
}

// Names returns the names of all variants, sorted.
func Names() []string {
	files, err := fs.Glob(modules, "spv/*.spv")
	if err != nil {
		return nil // only a malformed pattern is an error
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, "spv/"), ".spv")
	}
	return files
}

var swapped sync.Map // code by name

// Swap has Load return other code for a variant until back is called: for tests of what becomes of a wrong one.
func Swap(name string, code []byte) (back func()) {
	swapped.Store(name, code)
	return func() { swapped.Delete(name) }
}

// Fingerprint tells builds apart: it changes with any shader.
func Fingerprint() (string, error) {
	manifest, err := modules.ReadFile("spv/MANIFEST")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(manifest)
	swapped.Range(func(_, code any) bool { h.Write(code.([]byte)); return true })
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
