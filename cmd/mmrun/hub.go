package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/hub"
)

func pullCommand() *cli.Command {
	return &cli.Command{
		Name:      "pull",
		Category:  groupRun,
		Usage:     "get a model from the Hugging Face Hub",
		UsageText: "mmrun pull OWNER/NAME[:FILE] [FLAGS]",
		Description: `Gets what it takes to run a model: config.json, the tokenizer, and the weights, as model.safetensors, pytorch_model.bin or a GGUF file; of several GGUF files one has to be named. The files go to the Hub's own cache, where Python finds them and --model OWNER/NAME does, too; what is there already is not asked for again. A pull that was cut off goes on where it ended, and every file is held against its hash. The path of the model is printed.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they do in Python's library. The token goes to the Hub alone, never to the host where files lie.

Examples:
mmrun pull state-spaces/mamba-130m-hf && mmrun generate --model state-spaces/mamba-130m-hf "It was"
mmrun pull OWNER/NAME-GGUF:model-Q4_K_M.gguf
mmrun pull EleutherAI/gpt-neox-20b:tokenizer.json`,
		Flags:  []cli.Flag{quietFlag()},
		Action: pullAction,
	}
}

func pullAction(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("pull needs the name of one model, OWNER/NAME or OWNER/NAME:FILE; see %s --help", c.Command.HelpName)
	}
	name, err := hub.ParseName(c.Args().First())
	if err != nil {
		return usagef("%v", err)
	}
	h, err := hub.FromEnv()
	if err != nil {
		return err
	}
	sig := signalsOf(c)
	sig.graceful() // what came in part is kept
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"), sig)
	path, err := h.Pull(sig.ctx, name, console.progress("pulling", byteWords))
	console.clear()
	if err != nil {
		return err
	}
	if name.File == "" || strings.HasSuffix(name.File, ".gguf") {
		console.note(fmt.Sprintf("mmrun generate --model %s --prompt \"It was\"", name))
	}
	return printText(c, path+"\n")
}

func listCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Category:  groupRun,
		Usage:     "show the models that were got from the Hugging Face Hub",
		UsageText: "mmrun list [--json]",
		Description: `Lists the models in the Hub's cache, also those that Python got: name, model type where mmrun can run it, size, kind of weights and commit. --json adds the paths and files.

Examples:
mmrun list
mmrun list --json | jq -r '.[] | select(.model_type) | .name'`,
		Flags:  []cli.Flag{jsonFlag("print a JSON array instead of a table")},
		Action: listAction,
	}
}

// cachedReport is what --json prints of a model; sizes are in bytes.
type cachedReport struct {
	Name      string   `json:"name"`
	ModelType string   `json:"model_type,omitempty"` // empty when the model cannot be run here
	Problem   string   `json:"problem,omitempty"`    // why
	Weights   []string `json:"weights"`              // kinds
	Bytes     int64    `json:"bytes"`
	Partial   int64    `json:"partial_bytes,omitempty"` // of a pull that was cut off
	Commit    string   `json:"commit"`
	Path      string   `json:"path"`
	Files     []string `json:"files"`
}

func listAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := hub.FromEnv()
	if err != nil {
		return err
	}
	all, err := h.List()
	if err != nil {
		return fileError(h.Cache, err)
	}
	reports := []cachedReport{}
	for _, m := range all {
		reports = append(reports, reportOf(m))
	}
	if c.Bool("json") {
		return printJSON(c, reports)
	}
	if len(reports) == 0 {
		return printText(c, fmt.Sprintf("there is no model in %s; 'mmrun pull OWNER/NAME' gets one\n", h.Cache))
	}
	t := newTable("model", "type", ">size", "weights", "commit")
	for _, r := range reports {
		size := formatBytes(r.Bytes)
		if r.Partial > 0 {
			size += " + " + formatBytes(r.Partial) + " of more"
		}
		t.add(r.Name, cmp.Or(r.ModelType, "-"), size, cmp.Or(strings.Join(r.Weights, ", "), "-"), r.Commit[:min(12, len(r.Commit))])
	}
	return printText(c, t.String())
}

func reportOf(m hub.Cached) cachedReport {
	r := cachedReport{Name: m.Name.Repo(), Weights: []string{}, Bytes: m.Bytes, Partial: m.Partial, Commit: m.Commit, Path: m.Path, Files: m.Files}
	for _, file := range m.Files {
		if kind := strings.TrimPrefix(filepath.Ext(file), "."); slices.Contains([]string{"safetensors", "bin", "gguf"}, kind) && !slices.Contains(r.Weights, kind) {
			r.Weights = append(r.Weights, kind)
		}
	}
	if m.Path == "" {
		return r
	}
	kind, err := modelTypeAt(m.Path)
	if r.ModelType = kind; err != nil {
		r.Problem = err.Error()
	}
	return r
}

// modelTypeAt is the model type of the model at a path.
func modelTypeAt(path string) (string, error) {
	src, err := checkpoint.Open(path)
	if err != nil {
		return "", err
	}
	defer src.Close()
	data, err := src.Config()
	if err != nil {
		return "", err
	}
	cfg, err := engine.ParseConfig(src.Path(configName), data)
	if err != nil {
		return "", err
	}
	return cfg.Sizes().ModelType, nil
}

// inCache is the path of a model in the Hub's cache, when what is asked for is none of the file system and has the form
// of a name there.
func inCache(asked string) (path string, ok bool, err error) {
	if _, err := os.Stat(asked); err == nil || !errors.Is(err, fs.ErrNotExist) && !strings.Contains(asked, ":") {
		return "", false, nil
	}
	name, err := hub.ParseName(asked)
	if err != nil {
		return "", false, nil
	}
	h, err := hub.FromEnv()
	if err != nil {
		return "", false, err
	}
	path, err = h.Find(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no such file or directory, and %w", err)
	}
	return path, err == nil, err
}
