package main

import (
	"cmp"
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

func keysCommand() *cli.Command {
	return &cli.Command{
		Name:      "keys",
		Category:  groupExperiments,
		Usage:     "how well a model tells one of several named keys in a long text",
		UsageText: "mmrun keys [--lengths N,N,...] [--keys N] [--trials N] [--plot FILE.png] [--json] [FLAGS]",
		Description: `Hides sentences such as " The pass key of Ravenmoor is 48215. Remember it. 48215 is the pass key of Ravenmoor." at random places of the passkey task's filler, and ends with " What is the pass key of Ravenmoor? The pass key of Ravenmoor is". The model continues greedily and is right when the five digits come first. There are three kinds of prompts, after RULER (arXiv 2404.06654): a single key; one of --keys; and one of --keys that was told a second time with another key, which counts. A length counts all tokens of the prompt. With --filler the tokens of a file, from a random place on, take the place of the repeated sentences.

An answer that is another key of the prompt, the overwritten one among them, is counted as confused. The bounds low and high are a 95% interval of the accuracy (Wilson). All models get the same prompts: "first only" and "this only" count those that the first model alone answered, and this one alone, and p is how often equals would differ as much (McNemar's exact test).

With --json the output is one object: seed, keys, trials, filler, and models, each with model, device and cases: kind, length, seconds, accuracy, low, high, right, trials, after the first model against_first (first_only, this_only, p), confused, and every answer with what the model wrote.

Examples:
mmrun keys --model memmamba --lengths 1000,4000 --keys 8
mmrun keys --model memmamba --against mamba --trials 50 --plot keys.png`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "lengths", Category: "Measurement", Value: "1000,2000,4000", Usage: "prompts of `N,N,...` tokens"},
			&cli.IntFlag{Name: "keys", Category: "Measurement", Value: 4, Usage: "`N` named keys where there are several"},
			&cli.StringFlag{Name: "filler", Category: "Measurement", Usage: "hide them in the text of `FILE`, UTF-8"},
		}, retrievalFlags(), decimateFlags(), engineFlags()),
		Action: keysAction,
	}
}

// keysReport is what --json prints.
type keysReport struct {
	Seed   uint64       `json:"seed"`
	Keys   int          `json:"keys"`
	Trials int          `json:"trials"`
	Filler string       `json:"filler,omitempty"`
	Models []*keysModel `json:"models"`
}

type keysModel struct {
	Model  string      `json:"model"`
	Device string      `json:"device"`
	Cases  []*keysCase `json:"cases"`
	head   string
}

type keysCase struct {
	Kind    string  `json:"kind"`
	Length  int     `json:"length"`
	Seconds float64 `json:"seconds"`
	score
	Paired   *paired `json:"against_first,omitempty"` // of models after the first
	Confused int     `json:"confused"`
	Replies  []reply `json:"replies"`
}

func keysAction(c *cli.Context) error {
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
	r := &keysReport{Seed: c.Uint64("seed"), Keys: c.Int("keys"), Trials: c.Int("trials"), Filler: c.String("filler")}
	err = eachModel(c, func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error {
		return r.measure(c, e, tok, encode, lengths)
	})
	if err != nil {
		return err
	}
	return publish(c, r)
}

// measure adds a model to the report.
func (r *keysReport) measure(c *cli.Context, e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder, lengths []int) error {
	filler, err := fillerOf(c, encode)
	if err != nil {
		return err
	}
	task, err := retrieval.NewKeys(encode, filler, r.Keys)
	if err != nil {
		return err
	}
	var total int64
	for _, length := range lengths { // all first, so that a length that is too short costs no time
		for _, kind := range retrieval.KeyKinds {
			if _, err := task.Prompt(r.Seed, kind, length, 0); err != nil {
				return err
			}
			total += int64(length * r.Trials)
		}
	}
	a, err := e.newAsking(tok, total)
	if err != nil {
		return err
	}
	defer a.close()
	m := &keysModel{Model: e.source.Name(), Device: e.Device().Name, head: e.describe()}
	r.Models = append(r.Models, m)
	for _, kind := range retrieval.KeyKinds {
		for _, length := range lengths {
			one, err := r.one(signalsOf(c).ctx, a, task, kind, length)
			if err != nil {
				return err
			}
			if first := r.Models[0]; first != m {
				one.Paired = pairedOf(first.Cases[len(m.Cases)].Replies, one.Replies)
			}
			m.Cases = append(m.Cases, one)
			e.console.note(fmt.Sprintf("%s: %s, %d tokens: %s of %d right", m.Model, kind, length, plot.Percent(one.Accuracy), one.Trials))
		}
	}
	return nil
}

// one measures prompts of a kind and a length.
func (r *keysReport) one(ctx context.Context, a *asking, task *retrieval.Keys, kind string, length int) (*keysCase, error) {
	start, right := time.Now(), 0
	one := &keysCase{Kind: kind, Length: length}
	for trial := range r.Trials {
		p, err := task.Prompt(r.Seed, kind, length, trial)
		if err != nil {
			return nil, err
		}
		reply, confused, err := a.askOne(ctx, p)
		if err != nil {
			return nil, err
		}
		one.Replies = append(one.Replies, reply)
		if reply.Right {
			right++
		}
		if confused {
			one.Confused++
		}
	}
	one.score = scoreOf(right, r.Trials)
	one.Seconds = time.Since(start).Seconds()
	return one, nil
}

func (r *keysReport) text() string {
	var text strings.Builder
	for i, m := range r.Models {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(m.head)
		fmt.Fprintf(&text, "trials  %d of each kind and length, %d keys where there are several, seed %d\n\n", r.Trials, r.Keys, r.Seed)
		headings := []string{"kind", ">tokens", ">accuracy", ">low", ">high", ">confused", ">seconds"}
		if i > 0 {
			headings = append(headings, pairedHeadings...)
		}
		t := newTable(headings...)
		for _, k := range m.Cases {
			cells := append([]string{k.Kind, fmt.Sprint(k.Length)}, k.cells()...)
			cells = append(cells, plot.Percent(float64(k.Confused)/float64(k.Trials)), fmt.Sprintf("%.1f", k.Seconds))
			t.add(append(cells, k.Paired.cells()...)...)
		}
		text.WriteString(t.String())
	}
	return text.String()
}

// panels are one for every kind, with a curve for every model and its interval as a band.
func (r *keysReport) panels() (panels []plot.Panel) {
	for _, kind := range retrieval.KeyKinds {
		l := plot.Lines{
			Title: fmt.Sprintf("Named keys found, kind %q of %d keys, %d trials each", kind, r.Keys, r.Trials),
			X:     "length of the prompt (tokens)", Y: "accuracy (%), with its 95% interval", High: 100, LogX: true,
		}
		for i, m := range r.Models {
			curve := plot.Curve{Name: filepath.Base(m.Model), Dots: true}
			for _, k := range slices.SortedFunc(slices.Values(m.Cases), func(a, b *keysCase) int { return cmp.Compare(a.Length, b.Length) }) {
				if k.Kind != kind {
					continue
				}
				if i == 0 {
					l.XTicks = append(l.XTicks, plot.Tick{Value: float64(k.Length), Label: plot.Short(k.Length)})
				}
				curve.X, curve.Y = append(curve.X, float64(k.Length)), append(curve.Y, 100*k.Accuracy)
				curve.Low, curve.High = append(curve.Low, 100*k.Low), append(curve.High, 100*k.High)
			}
			l.Curves = append(l.Curves, curve)
		}
		panels = append(panels, l)
	}
	return panels
}
