// Command glslc rebuilds shaders/spv out of shaders/*.comp with Google's glslc and checks every
// module with spirv-val. It is run by tools/glslc.sh in the repository's root.
//
//	glslc [--force] [stem ...]
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/mmrun/mmrun/internal/glsl"
	"github.com/mmrun/mmrun/internal/spirv"
)

const dir = "shaders"

func main() {
	force := flag.Bool("force", false, "build what did not change, too")
	flag.Parse()
	if err := run(*force, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run builds the stale variants of the stems, of all shaders when none is named. A shader that does
// not compile keeps its old module and manifest line, so that the others can go on.
func run(force bool, stems []string) error {
	for _, tool := range []string{"glslc", "spirv-val"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s not found; on Debian: apt-get install glslc spirv-tools", tool)
		}
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()

	fsys := os.DirFS(dir)
	variants, err := glsl.Variants(fsys)
	if err != nil {
		return err
	}
	manifest, err := glsl.ReadManifest(fsys)
	if errors.Is(err, os.ErrNotExist) {
		manifest, err = glsl.Manifest{}, os.MkdirAll(filepath.Join(dir, "spv"), 0o755)
	}
	if err != nil {
		return err
	}
	for _, stem := range stems {
		if !slices.ContainsFunc(variants, func(v glsl.Variant) bool { return v.File == stem+".comp" }) {
			return fmt.Errorf("no shader %s.comp in %s", stem, dir)
		}
	}
	var stale []glsl.Variant
	for _, v := range variants {
		chosen := len(stems) == 0 || slices.Contains(stems, strings.TrimSuffix(v.File, ".comp"))
		if chosen && (force || !fresh(v, manifest[v.Name])) {
			stale = append(stale, v)
		}
	}
	failed := build(stale, manifest)
	removed, err := clean(variants, manifest)
	if err := errors.Join(failed, err, write(glsl.ManifestFile, []byte(manifest.String()))); err != nil {
		return err
	}
	fmt.Printf("glslc.sh: %d of %d modules built, %d removed\n", len(stale), len(variants), removed)
	return nil
}

// lock holds path against another run, which would lose this one's manifest lines.
func lock(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("%s: lock: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// fresh reports whether v's module is there and was built from v's source.
func fresh(v glsl.Variant, e glsl.Entry) bool {
	data, err := os.ReadFile(module(v.Name))
	return err == nil && e.Source == v.Digest && e.SPIRV == glsl.Sum(data)
}

func module(name string) string { return filepath.Join(dir, "spv", name+".spv") }

// build compiles variants on all processors and records them in manifest.
func build(variants []glsl.Variant, manifest glsl.Manifest) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed = make([]error, len(variants))
		slots  = make(chan struct{}, runtime.NumCPU())
	)
	for i, v := range variants {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			code, err := compile(v)
			if err == nil {
				err = write("spv/"+v.Name+".spv", code)
			}
			if failed[i] = err; err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			manifest[v.Name] = glsl.Entry{Source: v.Digest, SPIRV: glsl.Sum(code)}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// compile returns v's validated SPIR-V, without what is there for debuggers except for the names of arguments.
func compile(v glsl.Variant) ([]byte, error) {
	args := strings.Fields(glsl.Flags)
	for _, folder := range v.Folders {
		args = append(args, "-I", filepath.Join(dir, folder))
	}
	for _, d := range v.Defines {
		args = append(args, "-D"+d)
	}
	args = append(args, "-o", "-", filepath.Join(dir, v.File))
	code, err := output(nil, "glslc", args...)
	if err == nil {
		code, err = spirv.Slim(code)
	}
	if err == nil {
		_, err = output(code, "spirv-val", "--target-env", glsl.TargetEnv, "-")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	return code, nil
}

// output runs a tool; the error holds what the tool said.
func output(stdin []byte, name string, args ...string) ([]byte, error) {
	var said bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, strings.TrimSpace(said.String()))
	}
	return out, nil
}

// clean removes the modules and manifest lines that no shader declares.
func clean(variants []glsl.Variant, manifest glsl.Manifest) (removed int, err error) {
	declared := map[string]bool{}
	for _, v := range variants {
		declared[v.Name] = true
	}
	for name := range manifest {
		if !declared[name] {
			delete(manifest, name)
		}
	}
	files, err := filepath.Glob(module("*"))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if declared[strings.TrimSuffix(filepath.Base(file), ".spv")] {
			continue
		}
		if err := os.Remove(file); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// write replaces a file below dir in one step and leaves it alone when it is the same already.
func write(name string, data []byte) error {
	name = filepath.Join(dir, name)
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp := name + ".new"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
