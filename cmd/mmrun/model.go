package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/models"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/tokenizer"
	"github.com/mmrun/mmrun/vk"
)

const (
	configName    = "config.json"
	tokenizerName = "tokenizer.json"
)

// modelFlag chooses the model.
func modelFlag() cli.Flag {
	return &cli.StringFlag{Name: "model", Aliases: []string{"m"}, Category: "Model",
		Usage: "`PATH` of a GGUF file, or of a folder with config.json, weights and tokenizer.json, or OWNER/NAME of one that was pulled", DefaultText: "the bundled model"}
}

// deviceFlags choose the Vulkan device.
func deviceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Category: "Device", EnvVars: []string{"MMRUN_DEVICE"},
			Usage: "`DEVICE` by index, part of its name, or UUID, as 'mmrun devices' lists them", DefaultText: "the fastest kind there is"},
		&cli.StringFlag{Name: "disable", Category: "Device", EnvVars: []string{"MMRUN_DISABLE"},
			Usage: "do without these `PATHS` of computing, separated by commas: texel, subgroup, coopmat"},
		&cli.BoolFlag{Name: "validate", Category: "Device", EnvVars: []string{"MMRUN_VALIDATE"},
			Usage: "run under the Khronos validation layer; every message is an error"},
	}
}

// engineFlags are those of every command that runs a model.
func engineFlags() []cli.Flag {
	flags := append([]cli.Flag{modelFlag()}, deviceFlags()...)
	return append(flags,
		&cli.StringFlag{Name: "quantize", Category: "Model", DefaultText: "as they are in the file",
			Usage: "hold the weights of matrices as `TYPE`: " + targets()},
		tokenizerFlag(),
		&cli.IntFlag{Name: "chunk", Category: "Device", Value: engine.DefaultChunk,
			Usage: "run at most `N` tokens of a prompt at once; more is faster and takes more memory"},
		quietFlag())
}

func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: "Output",
		Usage: "no progress, timings or warnings on standard error"}
}

func jsonFlag(what string) cli.Flag {
	return &cli.BoolFlag{Name: "json", Category: "Output", Usage: what}
}

// source is a model's files.
type source struct {
	checkpoint.Source
	again func() (checkpoint.Source, error) // opens the files once more, for weights that are soon closed
}

// sourceOf is the model that --model names. It is closed when the command ends.
func sourceOf(c *cli.Context) (source, error) {
	if !c.IsSet("model") {
		fsys, err := fs.Sub(models.FS, models.Bundled)
		if err != nil {
			return source{}, err
		}
		src, err := keep(c, func() (checkpoint.Source, error) { return checkpoint.OpenFS(models.Bundled, fsys) })
		return orOther(c, src, err)
	}
	path := c.String("model")
	if path == "" {
		return source{}, usagef("--model needs the name of a directory or file")
	}
	src, err := sourceAt(c, path)
	return orOther(c, src, err)
}

// orOther gives an open model the tokenizer that --tokenizer names.
func orOther(c *cli.Context, src source, err error) (source, error) {
	if err != nil {
		return src, err
	}
	return withTokenizer(c, src)
}

// sourceAt is the model at a path, a directory or a file, or one in the Hub's cache. It is closed when the command ends.
func sourceAt(c *cli.Context, path string) (source, error) {
	cached, ok, err := inCache(path)
	if err != nil {
		return source{}, err
	}
	if ok {
		return sourceNamed(c, path, cached)
	}
	return keep(c, func() (checkpoint.Source, error) { return checkpoint.Open(path) })
}

// sourceNamed is the model at a path under another name.
func sourceNamed(c *cli.Context, name, path string) (source, error) {
	return keep(c, func() (checkpoint.Source, error) {
		src, err := checkpoint.Open(path)
		if err != nil {
			return nil, err
		}
		return renamed{src, name}, nil
	})
}

// renamed is a model that reports call by another name than its path.
type renamed struct {
	checkpoint.Source
	name string
}

func (r renamed) Name() string { return r.name }

func (r renamed) Unwrap() checkpoint.Source { return r.Source }

const sourcesKey = "open sources"

// keep opens a source for the time of a command.
func keep(c *cli.Context, open func() (checkpoint.Source, error)) (source, error) {
	again := func() (checkpoint.Source, error) {
		src, err := open()
		if err != nil {
			return nil, err
		}
		return engine.Canonical(src), nil
	}
	src, err := again()
	if err != nil {
		return source{}, err
	}
	all, _ := c.App.Metadata[sourcesKey].([]checkpoint.Source)
	c.App.Metadata[sourcesKey] = append(all, src)
	if w, ok := checkpoint.As[checkpoint.Warner](src); ok {
		console := newConsole(c.App.ErrWriter, c.Bool("quiet"), signalsOf(c))
		for _, line := range w.Warnings() {
			console.warn("%s", line)
		}
	}
	return source{src, again}, nil
}

// closeSources closes what a command opened.
func closeSources(c *cli.Context) error {
	all, _ := c.App.Metadata[sourcesKey].([]checkpoint.Source)
	var failed error
	for _, src := range all {
		// Of these the small parts alone are read, and before any number is; who reads numbers opens the source again.
		if err := src.Close(); !errors.Is(err, checkpoint.ErrChanged) {
			failed = errors.Join(failed, err)
		}
	}
	delete(c.App.Metadata, sourcesKey)
	return failed
}

func (s source) config() (engine.Config, error) {
	data, err := s.Config()
	if err != nil {
		return nil, err
	}
	return engine.ParseConfig(s.Path(configName), data)
}

// weights opens the model's tensors, which are good until they are closed. The error of closing them, checkpoint.ErrChanged,
// counts for those who have read their numbers.
func (s source) weights() (weights *checkpoint.Tensors, closing func() error, err error) {
	files, err := s.again()
	if err != nil {
		return nil, nil, err
	}
	if weights, err = files.Tensors(); err != nil {
		return nil, nil, errors.Join(err, files.Close())
	}
	return weights, files.Close, nil
}

func (s source) tokenizer() (*tokenizer.Tokenizer, error) { return mmrun.ReadTokenizer(s.Source) }

// targets are the names of the formats that matrices can be held in.
func targets() string {
	var names []string
	for _, f := range quant.Targets() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// opened is an open model and the console that told of its loading.
type opened struct {
	*engine.Model
	source  source
	console *console
	load    time.Duration
	drop    *engine.Decimation // of prompts; nil unless the flags ask for it
}

// checkEngineFlags finds what is wrong with engineFlags before anything is opened.
func checkEngineFlags(c *cli.Context) error {
	if to := c.String("quantize"); c.IsSet("quantize") && !slices.Contains(quant.Targets(), quant.Lookup(to)) {
		return usagef("--quantize: %q is not known (%s are)", to, targets())
	}
	return checkDisable(c)
}

// checkDisable finds paths that there are not.
func checkDisable(c *cli.Context) error {
	if _, err := disabled(c); err != nil {
		return usagef("--disable: %v", err)
	}
	return nil
}

// disabled are the paths that --disable names.
func disabled(c *cli.Context) ([]vk.Path, error) { return vk.ParsePaths(c.String("disable")) }

// openEngine loads the model that the flags name onto the device that they name.
func openEngine(c *cli.Context, src source) (*opened, error) {
	drop, err := decimation(c)
	if err = cmp.Or(err, fits(drop, src)); err != nil {
		return nil, err
	}
	e := &opened{source: src, console: newConsole(c.App.ErrWriter, c.Bool("quiet"), signalsOf(c)), drop: drop}
	off, err := disabled(c)
	if err != nil {
		return nil, err
	}
	options := engine.Options{
		Device:   c.String("device"),
		Disable:  off,
		Validate: c.Bool("validate"),
		Chunk:    c.Int("chunk"),
		Quantize: c.String("quantize"),
		Progress: e.console.progress("loading", byteWords),
		Warn:     func(line string) { e.console.warn("%s", line) },
	}
	undo, err := suitSoftware(src)
	if err != nil {
		return nil, err
	}
	defer undo()
	files, err := src.again()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	e.Model, err = engine.Open(files, options)
	e.console.clear()
	if closing := files.Close(); err == nil && closing != nil { // a file that was changed
		err = errors.Join(closing, e.Close())
	}
	if err != nil {
		return nil, err
	}
	e.load = time.Since(start)
	e.warnOfCPU(c)
	return e, nil
}

const warnedKey = "warned of a CPU device"

// warnOfCPU says that there is no GPU where nobody asked for another device, once for all models of a
// command.
func (e *opened) warnOfCPU(c *cli.Context) {
	info := e.Device()
	if info.Type != vk.CPU || c.String("device") != "" || c.App.Metadata[warnedKey] != nil {
		return
	}
	c.App.Metadata[warnedKey] = true
	e.console.warn("no GPU found; running on the CPU device %s", info.Name)
}

// close gives everything back; its error counts only when there is no other.
func (e *opened) close(err *error) {
	if e2 := e.Close(); *err == nil {
		*err = e2
	}
}

// describe is the model and the device in two lines.
func (e *opened) describe() string {
	sizes, info, quantized := e.Sizes(), e.Device(), ""
	if q := e.Quantization(); q != "" {
		quantized = ", " + q
	}
	return fmt.Sprintf("model   %s: %s, %d layers, d %d, vocabulary %d%s\n", e.source.Name(), sizes.ModelType, sizes.Layers, sizes.Hidden, sizes.Vocab, quantized) +
		fmt.Sprintf("device  %s (%s)\n", info.Name, info.Type)
}
