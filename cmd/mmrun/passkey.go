package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/retrieval"
	"github.com/mmrun/mmrun/internal/plot"
	"github.com/mmrun/mmrun/tokenizer"
)

func passkeyCommand() *cli.Command {
	return &cli.Command{
		Name:      "passkey",
		Category:  groupExperiments,
		Usage:     "how well a model finds a key hidden in a long text",
		UsageText: "mmrun passkey [--lengths N,N,...] [--depths N] [--trials N] [--plot FILE.png] [--json] [FLAGS]",
		Description: `Hides five digits in a text that repeats " The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.", as " The pass key is 48215. Remember it. 48215 is the pass key.", and ends it with " What is the pass key? The pass key is". The model continues greedily and is right when the five digits come first. A length counts all tokens of the prompt. Of D depths the i-th is the middle of the i-th of D equal parts of the filler. With --filler the tokens of a file, from a random place on, take the place of the repeated sentences.

A prompt follows from --seed, its length, its depth and its trial alone. What the prompts of a trial begin with alike is read only once. The bounds low and high are a 95% interval of the accuracy (Wilson). All models get the same prompts: "first only" and "this only" count those that the first model alone found, and this one alone, and p is how often equals would differ as much (McNemar's exact test).

With --json the output is one object: seed, depths, trials, filler, and models, each with model, device, and lengths: length, seconds, accuracy, low, high, right and trials over all depths, after the first model against_first (first_only, this_only, p), and depths with the same for each depth and every answer with what the model wrote.

Examples:
mmrun passkey --model memmamba --lengths 1000,2000,4000 --trials 20
mmrun passkey --model memmamba --against mamba --plot passkey.png
mmrun passkey --model memmamba --lengths 400000 --trials 1 --json`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "lengths", Category: "Measurement", Value: "500,1000,2000,4000", Usage: "prompts of `N,N,...` tokens"},
			&cli.IntFlag{Name: "depths", Category: "Measurement", Value: 5, Usage: "hide the key at `N` depths"},
			&cli.StringFlag{Name: "filler", Category: "Measurement", Usage: "hide it in the text of `FILE`, UTF-8"},
		}, retrievalFlags(), decimateFlags(), engineFlags()),
		Action: passkeyAction,
	}
}

// passkeyReport is what --json prints.
type passkeyReport struct {
	Seed   uint64          `json:"seed"`
	Depths []float64       `json:"depths"`
	Trials int             `json:"trials"`
	Filler string          `json:"filler,omitempty"`
	Models []*passkeyModel `json:"models"`
}

type passkeyModel struct {
	Model   string           `json:"model"`
	Device  string           `json:"device"`
	Lengths []*passkeyLength `json:"lengths"`
	head    string
}

type passkeyLength struct {
	Length  int     `json:"length"`
	Seconds float64 `json:"seconds"`
	score
	Paired *paired        `json:"against_first,omitempty"` // of models after the first
	Depths []*passkeyCell `json:"depths"`
}

// replies are those of all depths.
func (l *passkeyLength) replies() (all []reply) {
	for _, cell := range l.Depths {
		all = append(all, cell.Replies...)
	}
	return all
}

type passkeyCell struct {
	Depth float64 `json:"depth"`
	score
	Replies []reply `json:"replies"`
}

func passkeyAction(c *cli.Context) error {
	if err := checkRetrieval(c); err != nil {
		return err
	}
	if err := readOnce(c, "filler"); err != nil {
		return err
	}
	lengths, err := wholeNumbers("--lengths", c.String("lengths"), 1, mostTokens)
	if err != nil {
		return err
	}
	r := &passkeyReport{Seed: c.Uint64("seed"), Trials: c.Int("trials"), Filler: c.String("filler")}
	for i := range c.Int("depths") {
		r.Depths = append(r.Depths, retrieval.Depth(i, c.Int("depths")))
	}
	err = eachModel(c, func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error {
		return r.measure(c, e, tok, encode, lengths)
	})
	if err != nil {
		return err
	}
	return publish(c, r)
}

// measure adds a model to the report.
func (r *passkeyReport) measure(c *cli.Context, e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder, lengths []int) error {
	filler, err := fillerOf(c, encode)
	if err != nil {
		return err
	}
	task, err := retrieval.NewPasskey(encode, filler)
	if err != nil {
		return err
	}
	var total int64
	for _, length := range lengths { // all first, so that a length that is too short costs no time
		prompts, err := task.Prompts(r.Seed, length, len(r.Depths), 0)
		if err != nil {
			return err
		}
		total += e.toRead(prompts) * int64(r.Trials)
	}
	a, err := e.newAsking(tok, total)
	if err != nil {
		return err
	}
	defer a.close()
	m := &passkeyModel{Model: e.source.Name(), Device: e.Device().Name, head: e.describe()}
	r.Models = append(r.Models, m)
	for _, length := range lengths {
		one, err := r.length(signalsOf(c).ctx, a, task, length)
		if err != nil {
			return err
		}
		if first := r.Models[0]; first != m {
			one.Paired = pairedOf(first.Lengths[len(m.Lengths)].replies(), one.replies())
		}
		m.Lengths = append(m.Lengths, one)
		e.console.note(fmt.Sprintf("%s: %d tokens: %s of %d right", m.Model, length, plot.Percent(one.Accuracy), one.Trials))
	}
	return nil
}

// fillerOf are the tokens of --filler, nil without it.
func fillerOf(c *cli.Context, encode corpus.Encoder) ([]int32, error) {
	if !c.IsSet("filler") {
		return nil, nil
	}
	path := c.String("filler")
	filler, err := allTokens(c, path, encode)
	if err == nil && len(filler) == 0 {
		err = fmt.Errorf("%s: the text is empty", path)
	}
	return filler, err
}

// length measures one length at all depths.
func (r *passkeyReport) length(ctx context.Context, a *asking, task *retrieval.Passkey, length int) (*passkeyLength, error) {
	start := time.Now()
	one := &passkeyLength{Length: length}
	for _, depth := range r.Depths {
		one.Depths = append(one.Depths, &passkeyCell{Depth: depth})
	}
	right := make([]int, len(r.Depths))
	for trial := range r.Trials {
		prompts, err := task.Prompts(r.Seed, length, len(r.Depths), trial)
		if err != nil {
			return nil, err
		}
		replies, err := a.ask(ctx, prompts)
		if err != nil {
			return nil, err
		}
		for i, reply := range replies {
			one.Depths[i].Replies = append(one.Depths[i].Replies, reply)
			if reply.Right {
				right[i]++
			}
		}
	}
	all := 0
	for i, cell := range one.Depths {
		cell.score = scoreOf(right[i], r.Trials)
		all += right[i]
	}
	one.score = scoreOf(all, r.Trials*len(r.Depths))
	one.Seconds = time.Since(start).Seconds()
	return one, nil
}

func (r *passkeyReport) text() string {
	var text strings.Builder
	for i, m := range r.Models {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(m.head)
		fmt.Fprintf(&text, "trials  %d at each depth, seed %d\n\n", r.Trials, r.Seed)
		headings := []string{">tokens"}
		for _, depth := range r.Depths {
			headings = append(headings, fmt.Sprintf(">at %s", plot.Percent(depth)))
		}
		headings = append(headings, ">accuracy", ">low", ">high", ">seconds")
		if i > 0 {
			headings = append(headings, pairedHeadings...)
		}
		t := newTable(headings...)
		for _, l := range m.Lengths {
			cells := []string{fmt.Sprint(l.Length)}
			for _, cell := range l.Depths {
				cells = append(cells, plot.Percent(cell.Accuracy))
			}
			cells = append(append(cells, l.cells()...), fmt.Sprintf("%.1f", l.Seconds))
			t.add(append(cells, l.Paired.cells()...)...)
		}
		text.WriteString(t.String())
	}
	return text.String()
}

// panels is a heat map for every model; several stand side by side.
func (r *passkeyReport) panels() []plot.Panel {
	var panels []plot.Panel
	for _, m := range r.Models {
		h := plot.HeatMap{
			Title: fmt.Sprintf("Passkeys found by %s, %d trials a cell", filepath.Base(m.Model), r.Trials), X: "length of the prompt (tokens)", Y: "depth of the key",
			High: 1, Scale: "accuracy", Label: plot.Percent, Write: true, Values: make([][]float64, len(r.Depths)),
		}
		for i, depth := range r.Depths {
			h.Rows = append(h.Rows, plot.Percent(depth))
			for _, l := range m.Lengths {
				h.Values[i] = append(h.Values[i], l.Depths[i].Accuracy)
			}
		}
		for _, l := range m.Lengths {
			h.Columns = append(h.Columns, plot.Short(l.Length))
		}
		panels = append(panels, h)
	}
	return beside(panels)
}
