// Package testlayer builds a Vulkan layer for tests, under which every device has the least that Vulkan promises.
package testlayer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

const name = "VK_LAYER_MMRUN_least"

// Build builds the layer in a folder and returns the environment that switches it on, as in "NAME=value". limits
// changes some of them, such as "storage_buffers=16"; least.c has their names.
func Build(dir, limits string) ([]string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return nil, fmt.Errorf("testlayer: the source is not to be found")
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	library := filepath.Join(dir, "least.so")
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-o", library, filepath.Join(filepath.Dir(file), "testdata", "least.c")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("testlayer: %w: %s", err, out)
	}
	manifest := fmt.Sprintf(`{"file_format_version": "1.1.2", "layer": {"name": %q, "type": "GLOBAL", "library_path": %q,
	"api_version": "1.3.0", "implementation_version": "1", "description": "the least of every limit"}}`, name, library)
	if err := os.WriteFile(filepath.Join(dir, "least.json"), []byte(manifest), 0o644); err != nil {
		return nil, err
	}
	return []string{"VK_ADD_LAYER_PATH=" + dir, "VK_INSTANCE_LAYERS=" + name, "MMRUN_LAYER_LIMITS=" + limits}, nil
}
