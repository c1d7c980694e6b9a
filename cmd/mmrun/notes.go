package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/tokenizer"
)

func notesCommand() *cli.Command {
	return &cli.Command{
		Name:      "notes",
		Category:  groupMemory,
		Usage:     "show what a MemMamba model writes down while it reads a text",
		UsageText: "mmrun notes --model PATH --prompt-file FILE [--json | --html OUT] [FLAGS]",
		Description: `Shows for every layer the notes in its pool after the text, with position, token and importance, the windows in which it read its pool, and, where cross_layer_trigger is "state", those in which it read the pools of the layers before it. Notes of the last window are still pending and not in a pool.

With --html it writes one page that needs no network: the text coloured by importance, a map of the reads of every layer in every window, and the notes of every layer. It also has the notes that left a pool on the way. With --json the output is one object: model, tokens, window (W), windows, and layers with reads (window numbers), layer_reads (those in which the state triggered cross-layer attention, where it does), written (how many notes ever came into the pool) and notes (position, text, importance and, for those that are gone, the window in which they left).

Examples:
mmrun notes --model memmamba --prompt-file chapter.txt --html notes.html
mmrun notes --model memmamba --prompt "The key is under the third stone."
mmrun notes --model memmamba --prompt-file chapter.txt --json | jq '.layers[0].notes[0]'`,
		Flags: slices.Concat(textFlags("to read"), []cli.Flag{
			jsonFlag("print one JSON object instead of text"),
			&cli.StringFlag{Name: "html", Category: "Output", Usage: "write a page to `OUT` instead of text"},
		}, engineFlags()),
		Action: notesAction,
	}
}

func notesAction(c *cli.Context) (err error) {
	if err := cmp.Or(checkEngineFlags(c), exclusive(c, "json", "html")); err != nil {
		return err
	}
	in, ok, err := readInput(c)
	if err == nil && !ok {
		in, ok, err = readPiped(c)
	}
	if err != nil {
		return err
	}
	if !ok {
		return usagef("no text: give --prompt TEXT, --prompt-file FILE, or pipe it in")
	}
	page := c.String("html")
	if c.IsSet("html") {
		if page == "" {
			return usagef("--html needs the name of a file")
		}
		if err := checkOutput(page); err != nil {
			return err
		}
	}
	src, tok, ids, err := readForNotes(c, in)
	if err != nil {
		return err
	}
	e, err := openEngine(c, src)
	if err != nil {
		return err
	}
	defer e.close(&err)
	sig := signalsOf(c)
	sig.graceful()
	r, err := e.takeNotes(sig.ctx, ids, tok)
	switch {
	case err != nil:
		return err
	case page != "":
		return r.writePage(page)
	case c.Bool("json"):
		return printJSON(c, r)
	}
	return printText(c, r.text())
}

// readForNotes turns the text into tokens of a model that has a memory.
func readForNotes(c *cli.Context, in input) (source, *tokenizer.Tokenizer, []int32, error) {
	fail := func(err error) (source, *tokenizer.Tokenizer, []int32, error) { return source{}, nil, nil, err }
	src, err := sourceOf(c)
	if err != nil {
		return fail(err)
	}
	cfg, err := src.config()
	if err != nil {
		return fail(err)
	}
	if memmamba.MemoryWindow(cfg) == 0 {
		return fail(fmt.Errorf("%s: a model of model_type %q writes no notes (memmamba does)", src.Name(), cfg.Sizes().ModelType))
	}
	tok, err := src.tokenizer()
	if err != nil {
		return fail(err)
	}
	ids, err := tok.Encode(in.text)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", in.name, err))
	}
	if len(ids) == 0 {
		return fail(fmt.Errorf("%s: the text is empty", in.name))
	}
	return src, tok, ids, src.checkFit(ids, cfg.Sizes().Vocab)
}

// notesReport is what the layers wrote down, as --json prints it.
type notesReport struct {
	Model   string        `json:"model"`
	Tokens  int           `json:"tokens"`
	Window  int           `json:"window"`
	Windows int           `json:"windows"`
	Layers  []*layerNotes `json:"layers"`

	pieces   []string // the text that each token completes
	settings memmamba.MemoryConfig
	fact     [2]int // tokens that the page frames, from the first to behind the last; none where both are 0
}

// layerNotes is the memory of one layer over a text.
type layerNotes struct {
	Reads   []int   `json:"reads"`                // windows in which it read its pool
	Before  []int   `json:"layer_reads,omitzero"` // those in which it was triggered to read the layers before it; nil where nothing triggers it
	Written int     `json:"written"`              // notes that ever came into the pool
	Notes   []*note `json:"notes"`                // by position
}

type note struct {
	Position   int64   `json:"position"`
	Text       string  `json:"text"`
	Importance float32 `json:"importance"`
	Left       *int64  `json:"left,omitempty"` // the window at whose start it left the pool
}

// takeNotes feeds the tokens and looks at every pool at the start of every window.
func (e *opened) takeNotes(ctx context.Context, ids []int32, tok *tokenizer.Tokenizer) (*notesReport, error) {
	state, err := e.NewState()
	if err != nil {
		return nil, err
	}
	defer state.Close()
	r := e.watchNotes(state, ids, tok)
	progress := e.console.progress("text", tokenWords)
	defer e.console.clear()
	done := 0
	for chunk := range slices.Chunk(ids, e.Chunk()) {
		if _, err := e.Forward(ctx, state, chunk); err != nil {
			return nil, err
		}
		done += len(chunk)
		progress(int64(done), int64(len(ids)))
	}
	return r, nil
}

// watchNotes returns a report that follows the pools while the tokens are fed to a new state.
func (e *opened) watchNotes(state *engine.State, ids []int32, tok *tokenizer.Tokenizer) *notesReport {
	settings := *e.Config().(*memmamba.Config).Memory
	r := &notesReport{
		Model: e.source.Name(), Tokens: len(ids), Window: settings.Window, Windows: (len(ids) + settings.Window - 1) / settings.Window,
		pieces: pieces(tok, ids), settings: settings,
	}
	for l := range e.Sizes().Layers {
		layer := &layerNotes{Reads: []int{}, Notes: []*note{}}
		if settings.Triggers(l) {
			layer.Before = []int{}
		}
		r.Layers = append(r.Layers, layer)
	}
	memmamba.OnWindow(state, func(window int64, reads, before []bool) error {
		memory, err := memmamba.Memory(state)
		if err != nil {
			return err
		}
		for l, layer := range r.Layers {
			if reads[l] {
				layer.Reads = append(layer.Reads, int(window))
			}
			if layer.Before != nil && before[l] {
				layer.Before = append(layer.Before, int(window))
			}
			layer.follow(window, memory[l].Notes, r.pieces)
		}
		return nil
	})
	return r
}

// follow takes in the pool as it is at the start of a window: notes that are new, and notes that
// have gone.
func (l *layerNotes) follow(window int64, pool []memmamba.Note, pieces []string) {
	here := make(map[int64]bool, len(pool))
	for _, n := range pool {
		here[n.Position] = true
	}
	last := int64(-1)
	for _, n := range l.Notes {
		last = n.Position
		if n.Left == nil && !here[n.Position] {
			n.Left = &window
		}
	}
	for _, n := range pool { // by position, and every note of a window comes at once
		if n.Position > last {
			l.Written++
			l.Notes = append(l.Notes, &note{Position: n.Position, Text: pieces[n.Position], Importance: n.Importance})
		}
	}
}

// kept are the notes in the pool after the text.
func (l *layerNotes) kept() []*note {
	return slices.DeleteFunc(slices.Clone(l.Notes), func(n *note) bool { return n.Left != nil })
}

// keptOf counts the tokens from the first of span to behind its last that are in the pool of a layer after the text.
func (r *notesReport) keptOf(span [2]int) int {
	kept := map[int64]bool{}
	for _, layer := range r.Layers {
		for _, n := range layer.kept() {
			if n.Position >= int64(span[0]) && n.Position < int64(span[1]) {
				kept[n.Position] = true
			}
		}
	}
	return len(kept)
}

// pieces is the text that each token completes; a token that ends inside a character has none.
func pieces(tok *tokenizer.Tokenizer, ids []int32) []string {
	stream := tok.NewStream()
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = stream.Push(id)
	}
	out[len(out)-1] += stream.Flush()
	return out
}
