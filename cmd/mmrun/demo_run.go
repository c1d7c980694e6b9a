package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/experiment/retrieval"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/tokenizer"
)

// demo is one run of the command: the model with notes first, its twin second.
type demo struct {
	hidden
	page    string
	readers []*demoReader

	mu   sync.Mutex
	show func() // draws the answers as they are
}

// demoReader is a model that reads the text and answers.
type demoReader struct {
	*opened
	tok    *tokenizer.Tokenizer
	prompt []int32
	params int64

	done  int    // tokens read
	wrote string // its answer so far
	notes *notesReport
}

func newReader(c *cli.Context, src source, text string) (*demoReader, error) {
	tok, err := src.tokenizer()
	if err != nil {
		return nil, err
	}
	ids, err := tok.Encode(text)
	if err != nil {
		return nil, err
	}
	weights, closing, err := src.weights()
	if err != nil {
		return nil, err
	}
	r := &demoReader{tok: tok, prompt: ids}
	for _, name := range weights.Names() {
		t, _ := weights.Tensor(name)
		r.params += int64(t.Len())
	}
	closing()
	e, err := openEngine(c, src)
	if err != nil {
		return nil, err
	}
	r.opened = e
	if err := src.checkFit(ids, e.Sizes().Vocab); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return r, nil
}

// run has both models read at the same time, and tells what they wrote.
func (d *demo) run(c *cli.Context) error {
	total := 0
	for _, r := range d.readers {
		total += len(r.prompt)
	}
	progress := d.readers[0].console.progress("reading", tokenWords)
	live := bool(styleOf(c.App.Writer)) && !c.Bool("json")
	d.show = func() {
		if !live || d.readers[0].wrote+d.readers[1].wrote == "" {
			progress(int64(d.readers[0].done+d.readers[1].done), int64(total))
			return
		}
		d.readers[0].console.clear()
		fmt.Fprintf(c.App.Writer, "\r\x1b[K%s", d.answers())
	}
	if !c.Bool("json") {
		if err := printText(c, d.head()); err != nil {
			return err
		}
	}
	err := d.read(signalsOf(c).ctx)
	d.readers[0].console.clear()
	if live {
		fmt.Fprint(c.App.Writer, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	notes := d.readers[0].notes
	notes.fact = d.factTokens()
	if err := notes.writePage(d.page); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, d.report())
	}
	return printText(c, d.text())
}

// read has the models read and answer, each in a goroutine of its own.
func (d *demo) read(ctx context.Context) error {
	failed := make([]error, len(d.readers))
	var both sync.WaitGroup
	for i, r := range d.readers {
		both.Go(func() { failed[i] = r.answer(ctx, d.update) })
	}
	both.Wait()
	return errors.Join(failed...)
}

// update changes what is shown of a reader.
func (d *demo) update(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.show()
}

// answer reads the text, with an eye on the notes where there are any, and continues it greedily.
func (r *demoReader) answer(ctx context.Context, update func(func())) error {
	state, err := r.NewState()
	if err != nil {
		return err
	}
	defer state.Close()
	if memmamba.MemoryWindow(r.Config()) > 0 {
		r.notes = r.watchNotes(state, r.prompt, r.tok)
	}
	last := len(r.prompt) - 1 // it gives the first token of the answer
	for at := 0; at < last; {
		to := min(at+r.Chunk(), last)
		if _, err := r.Forward(ctx, state, r.prompt[at:to]); err != nil {
			return err
		}
		at = to
		update(func() { r.done = at })
	}
	state.OnWindow(nil)
	stream, text := r.tok.ContinueStream(), ""
	for id, err := range r.Generate(ctx, state, r.prompt[last:], engine.GenerateOptions{MaxTokens: retrieval.AnswerTokens}) {
		if err != nil {
			return err
		}
		text += stream.Push(id)
		update(func() { r.wrote = oneLine(strings.TrimSpace(text)) })
		if retrieval.Enough(text) {
			break
		}
	}
	return nil
}

// factTokens are the tokens of the fact: from the first to behind the last.
func (d *demo) factTokens() [2]int {
	bytes, from, to := 0, -1, 0
	for i, piece := range d.readers[0].notes.pieces {
		bytes += len(piece)
		if from < 0 && bytes > d.from+1 { // without the space in front
			from = i
		}
		if bytes <= d.to {
			to = i + 1
		}
	}
	return [2]int{from, to}
}

// demoReport is what --json prints.
type demoReport struct {
	Text   string       `json:"text"`
	Bytes  int          `json:"bytes"`
	Key    string       `json:"key"`
	At     int          `json:"at"`
	Models []demoAnswer `json:"models"`
	Page   string       `json:"page"`
	Tokens int          `json:"fact_tokens"`
	Notes  int          `json:"fact_notes"`
}

type demoAnswer struct {
	Model      string `json:"model"`
	Parameters int64  `json:"parameters"`
	Wrote      string `json:"wrote"`
	Right      bool   `json:"right"`
}

func (d *demo) report() demoReport {
	notes := d.readers[0].notes
	r := demoReport{Text: d.name, Bytes: len(d.hidden.text), Key: d.key, At: d.from, Page: d.page,
		Tokens: notes.fact[1] - notes.fact[0], Notes: notes.keptOf(notes.fact)}
	for _, m := range d.readers {
		r.Models = append(r.Models, demoAnswer{m.source.Name(), m.params, m.wrote, retrieval.Right(m.wrote, d.key)})
	}
	return r
}

// head says what the models are asked.
func (d *demo) head() string {
	return fmt.Sprintf("The text is %d bytes of %s. After %d of them it says\n\n  %s\n\nand at its end it asks\n\n  %s\n\n",
		len(d.hidden.text), d.name, d.from, strings.TrimSpace(d.hidden.text[d.from:d.to]), strings.TrimSpace(retrieval.PasskeyQuestion))
}

// names of the columns.
func (d *demo) names() [2]string {
	return [2]string{filepath.Base(d.readers[0].source.Name()), filepath.Base(d.readers[1].source.Name())}
}

// answers is a line with what both have written so far.
func (d *demo) answers() string {
	names := d.names()
	return fmt.Sprintf("%s: %-8s  %s: %s", names[0], d.readers[0].wrote, names[1], d.readers[1].wrote)
}

// text is the outcome side by side.
func (d *demo) text() string {
	r, names := d.report(), d.names()
	t := newTable("", names[0], names[1])
	t.add("writes notes", yesNo(d.readers[0].notes != nil), yesNo(d.readers[1].notes != nil))
	t.add("parameters", formatCount(r.Models[0].Parameters), formatCount(r.Models[1].Parameters))
	t.add("wrote", r.Models[0].Wrote, r.Models[1].Wrote)
	t.add("which is", verdict(r.Models[0].Right), verdict(r.Models[1].Right))
	said := fmt.Sprintf("\nOf the %d tokens that tell the key %d are in the notes of a layer. %s shows them in the text.\n", r.Tokens, r.Notes, d.page)
	return t.String() + said + "How often this goes well: mmrun passkey asks many times, and docs/results.md has the figures.\n"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func verdict(right bool) string {
	if right {
		return "right"
	}
	return "wrong"
}
