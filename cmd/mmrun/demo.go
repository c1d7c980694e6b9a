package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/experiment/retrieval"
	"github.com/mmrun/mmrun/memmamba"
)

// demoText is the beginning of Lewis Carroll's Alice's Adventures in Wonderland, which no bundled model was trained on.
//
//go:embed page/alice.txt
var demoText string

// demoPage is where the page of notes goes unless a flag says otherwise.
const demoPage = "mmrun-demo.html"

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Category:  groupMemory,
		Usage:     "hide a fact in a text and ask a MemMamba and its twin for it",
		UsageText: "mmrun demo [--key DIGITS] [--depth PERCENT] [--text FILE] [--html OUT] [FLAGS]",
		Description: `Hides the sentences "The pass key is 48215. Remember it. 48215 is the pass key." in the beginning of Alice's Adventures in Wonderland and asks two models for the key at the end: a MemMamba, which writes notes while it reads, and its twin, which is the same model without notes. Both read at the same time, and their answers stand side by side. Neither was trained on this book.

Then it writes a page that shows the text as the MemMamba saw it: the sentences with the key, the tokens that became notes, and the windows in which layers read them.

One text does not tell how often this goes well. 'mmrun passkey' asks many times, and docs/results.md has what came of it, also where it fails.

The twin is the folder models/novels-twin. It is looked for in the current directory and beside the program; --against names another one.

With --json the output is one object: text, bytes, key, at (the byte where its sentences begin), models, each with model, parameters, wrote and right, page, fact_tokens (how many tokens the sentences have) and fact_notes (how many of them are in the pool of a layer at the end).

Examples:
mmrun demo
mmrun demo --key 31337 --depth 10
mmrun demo --text chapter.txt --html chapter.html`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "key", Category: "Text", Value: "48215", Usage: "hide these five `DIGITS`"},
			&cli.IntFlag{Name: "depth", Category: "Text", Value: 30, Usage: "hide them after `PERCENT` of the text, at the end of a sentence"},
			&cli.StringFlag{Name: "text", Category: "Text", Usage: "hide them in the text of `FILE`, UTF-8", DefaultText: "the beginning of Alice's Adventures in Wonderland"},
			&cli.StringFlag{Name: "html", Category: "Output", Value: demoPage, Usage: "write the page of notes to `OUT`"},
			jsonFlag("print one JSON object instead of text"),
			&cli.StringFlag{Name: "against", Category: "Model", Usage: "the twin without memory is in `DIR`", DefaultText: twinPath},
		}, engineFlags()),
		Action: demoAction,
	}
}

// twinPath is the twin's folder, below the repository's root or the package's folder of data.
const twinPath = "models/novels-twin"

// twinModel finds the twin of the bundled model.
func twinModel() (string, error) {
	places := []string{filepath.FromSlash(twinPath)}
	if program, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(program); err == nil {
			program = real
		}
		up := filepath.Dir(filepath.Dir(program)) // of bin/mmrun
		places = append(places, filepath.Join(up, twinPath), filepath.Join(up, "share", "mmrun", twinPath))
	}
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, configName)); err == nil {
			return place, nil
		}
	}
	return "", fmt.Errorf("the twin without memory is not at %s; a clone of the repository has it at %s, and --against DIR names it", strings.Join(places, ", "), twinPath)
}

// hidden is a text with a fact in it and a question at its end.
type hidden struct {
	name     string // of the text
	text     string
	key      string
	from, to int // bytes of the fact
}

// hide puts the fact behind the sentence that ends nearest before a depth in percent.
func hide(in input, key string, depth int) hidden {
	text := strings.TrimRight(in.text, "\n ")
	at := len(text) * depth / 100
	for at > 0 && at < len(text) && !(strings.ContainsRune(".!?", rune(text[at-1])) && (text[at] == ' ' || text[at] == '\n')) {
		at--
	}
	fact := retrieval.Needle(key)
	h := hidden{name: in.name, key: key, from: at, to: at + len(fact)}
	h.text = text[:at] + fact + text[at:] + retrieval.PasskeyQuestion
	return h
}

// readHidden is the text of the flags.
func readHidden(c *cli.Context) (hidden, error) {
	key := c.String("key")
	if len(key) != 5 || strings.Trim(key, "0123456789") != "" {
		return hidden{}, usagef("--key: %q is not five digits", key)
	}
	in := input{"Alice's Adventures in Wonderland", demoText}
	if c.IsSet("text") {
		if c.String("text") == "" {
			return hidden{}, usagef("--text needs the name of a file")
		}
		var err error
		if in, err = readFile(c, c.String("text")); err != nil {
			return hidden{}, err
		}
		if strings.TrimSpace(in.text) == "" {
			return hidden{}, fmt.Errorf("%s: the text is empty", in.name)
		}
	}
	return hide(in, key, c.Int("depth")), nil
}

func demoAction(c *cli.Context) (err error) {
	if err := cmp.Or(noArguments(c), checkEngineFlags(c)); err != nil {
		return err
	}
	h, err := readHidden(c)
	if err != nil {
		return err
	}
	page := c.String("html")
	if page == "" {
		return usagef("--html needs the name of a file")
	}
	if err := checkOutput(page); err != nil {
		return err
	}
	against := c.String("against")
	if against == "" {
		if against, err = twinModel(); err != nil {
			return err
		}
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	twin, err := sourceAt(c, against)
	if err != nil {
		return err
	}
	cfg, err := src.config()
	if err != nil {
		return err
	}
	if memmamba.MemoryWindow(cfg) == 0 {
		return fmt.Errorf("%s: a model of model_type %q writes no notes (memmamba does)", src.Name(), cfg.Sizes().ModelType)
	}
	d := &demo{hidden: h, page: page}
	for _, s := range []source{src, twin} {
		r, err := newReader(c, s, h.text)
		if err != nil {
			return err
		}
		defer r.close(&err)
		d.readers = append(d.readers, r)
	}
	signalsOf(c).graceful()
	return d.run(c)
}
