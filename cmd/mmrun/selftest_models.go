package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/testdata"
	"github.com/mmrun/mmrun/vk"
)

// selftestTolerance is that of the goldens in the tests.
var selftestTolerance = tolerance{2e-4, 2e-4}

// modelResult is how one small model did along a path.
type modelResult struct {
	Model string `json:"model"`
	Path  string `json:"path"`
	Error finite `json:"largest_error"`
	Wrong string `json:"wrong,omitempty"`
}

// runModels runs all small models along the path that the device takes, and one of them along every other.
func (s *selftest) runModels(c *cli.Context) error {
	dir, err := os.MkdirTemp("", "mmrun-selftest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	names, off := ways(s.info)
	for i, way := range names {
		for j, name := range testdata.Goldens {
			if i > 0 && j > 0 {
				continue
			}
			s.console.note(fmt.Sprintf("%s along %s", name, way))
			result, err := s.runModel(c, dir, name, off[i])
			if err != nil {
				return err
			}
			result.Path = way
			s.models = append(s.models, result)
		}
	}
	s.console.clear()
	return nil
}

// runModel compares one model; its results, and that it cannot run, are no errors.
func (s *selftest) runModel(c *cli.Context, dir, name string, off []vk.Path) (r modelResult, err error) {
	r.Model = name
	files, err := fs.Sub(testdata.FS, "golden/"+name)
	if err != nil {
		return r, err
	}
	data, err := fs.ReadFile(files, "golden.safetensors")
	if err != nil {
		return r, err
	}
	path := filepath.Join(dir, name+".safetensors")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return r, err
	}
	src, err := checkpoint.OpenFS(name, files)
	if err != nil {
		return r, err
	}
	defer src.Close()
	model, err := engine.Open(src, engine.Options{Device: s.options.Device, Disable: append(off, s.options.Disable...), Validate: s.options.Validate,
		Warn: func(line string) { s.console.warn("%s", line) }})
	if err != nil {
		r.Wrong = err.Error()
		return r, nil
	}
	v := &verification{opened: &opened{Model: model, console: s.console}, limit: selftestTolerance}
	defer v.close(&err)
	if v.golden, err = openGolden(path, model.Sizes().Vocab); err != nil {
		return r, err
	}
	defer v.golden.Close()
	if err := v.run(signalsOf(c).ctx); err != nil {
		if signalsOf(c).ctx.Err() != nil {
			return r, err
		}
		r.Wrong = err.Error()
	}
	for _, one := range v.checks {
		if r.Error = max(r.Error, finite(one.largest)); r.Wrong == "" && !one.ok() {
			r.Wrong = one.name + ": " + one.first
		}
	}
	return r, nil
}
