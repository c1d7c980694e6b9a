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

func docsCommand() *cli.Command {
	return &cli.Command{
		Name:      "docs",
		Category:  groupExperiments,
		Usage:     "how well a model answers from one of many documents",
		UsageText: "mmrun docs [--documents K,K,...] [--trials N] [--plot FILE.png] [--json] [FLAGS]",
		Description: `Lets the model read K documents, each about a place that does not exist, with four sentences of no use and " The code of Ravenmoor is 48215." somewhere among them, and then asks for the code of one: "What is the code of Ravenmoor? The code of Ravenmoor is". The model continues greedily and is right when the five digits come first. All but one document are noise. Places, codes, sentences and the document that is asked for follow from --seed, K and the trial alone.

An answer that is the code of another document is counted as confused: the model has found a code but not the one asked for. The bounds low and high are a 95% interval of the accuracy (Wilson). All models get the same prompts: "first only" and "this only" count those that the first model alone answered, and this one alone, and p is how often equals would differ as much (McNemar's exact test).

With --json the output is one object: seed, trials, and models, each with model, device and counts: documents, noise, tokens (the mean length of a prompt), seconds, accuracy, low, high, right, trials, after the first model against_first (first_only, this_only, p), confused, and every answer with what the model wrote.

Examples:
mmrun docs --model memmamba --documents 1,2,5,10,20,50
mmrun docs --model memmamba --against mamba --trials 50 --plot docs.png`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "documents", Category: "Measurement", Value: "1,2,5,10,20", Usage: "prompts of `K,K,...` documents"},
		}, retrievalFlags(), decimateFlags(), engineFlags()),
		Action: docsAction,
	}
}

// docsReport is what --json prints.
type docsReport struct {
	Seed   uint64       `json:"seed"`
	Trials int          `json:"trials"`
	Models []*docsModel `json:"models"`
}

type docsModel struct {
	Model  string       `json:"model"`
	Device string       `json:"device"`
	Counts []*docsCount `json:"counts"`
	head   string
}

type docsCount struct {
	Documents int     `json:"documents"`
	Noise     int     `json:"noise"`
	Tokens    float64 `json:"tokens"`
	Seconds   float64 `json:"seconds"`
	score
	Paired   *paired `json:"against_first,omitempty"` // of models after the first
	Confused int     `json:"confused"`
	Replies  []reply `json:"replies"`
}

func docsAction(c *cli.Context) error {
	if err := checkRetrieval(c); err != nil {
		return err
	}
	counts, err := wholeNumbers("--documents", c.String("documents"), 1, retrieval.MostDocuments)
	if err != nil {
		return err
	}
	r := &docsReport{Seed: c.Uint64("seed"), Trials: c.Int("trials")}
	err = eachModel(c, func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error {
		return r.measure(signalsOf(c).ctx, e, tok, retrieval.NewDocuments(encode), counts)
	})
	if err != nil {
		return err
	}
	return publish(c, r)
}

// measure adds a model to the report.
func (r *docsReport) measure(ctx context.Context, e *opened, tok *tokenizer.Tokenizer, task *retrieval.Documents, counts []int) error {
	var total int64
	for _, k := range counts {
		p, err := task.Prompt(r.Seed, k, 0)
		if err != nil {
			return err
		}
		total += int64(len(p.Tokens) * r.Trials) // the others are nearly as long
	}
	a, err := e.newAsking(tok, total)
	if err != nil {
		return err
	}
	defer a.close()
	m := &docsModel{Model: e.source.Name(), Device: e.Device().Name, head: e.describe()}
	r.Models = append(r.Models, m)
	for _, k := range counts {
		one, err := r.count(ctx, a, task, k)
		if err != nil {
			return err
		}
		if first := r.Models[0]; first != m {
			one.Paired = pairedOf(first.Counts[len(m.Counts)].Replies, one.Replies)
		}
		m.Counts = append(m.Counts, one)
		e.console.note(fmt.Sprintf("%s: %d documents: %s of %d right", m.Model, k, plot.Percent(one.Accuracy), one.Trials))
	}
	return nil
}

// count measures prompts of k documents.
func (r *docsReport) count(ctx context.Context, a *asking, task *retrieval.Documents, k int) (*docsCount, error) {
	start, right := time.Now(), 0
	one := &docsCount{Documents: k, Noise: k - 1}
	for trial := range r.Trials {
		p, err := task.Prompt(r.Seed, k, trial)
		if err != nil {
			return nil, err
		}
		reply, confused, err := a.askOne(ctx, p)
		if err != nil {
			return nil, err
		}
		one.Tokens += float64(len(p.Tokens)) / float64(r.Trials)
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

func (r *docsReport) text() string {
	var text strings.Builder
	for i, m := range r.Models {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(m.head)
		fmt.Fprintf(&text, "trials  %d of each kind, seed %d\n\n", r.Trials, r.Seed)
		headings := []string{">documents", ">noise", ">tokens", ">accuracy", ">low", ">high", ">confused", ">seconds"}
		if i > 0 {
			headings = append(headings, pairedHeadings...)
		}
		t := newTable(headings...)
		for _, k := range m.Counts {
			cells := []string{fmt.Sprint(k.Documents), fmt.Sprint(k.Noise), fmt.Sprintf("%.0f", k.Tokens)}
			cells = append(cells, k.cells()...)
			cells = append(cells, plot.Percent(float64(k.Confused)/float64(k.Trials)), fmt.Sprintf("%.1f", k.Seconds))
			t.add(append(cells, k.Paired.cells()...)...)
		}
		text.WriteString(t.String())
	}
	return text.String()
}

// panels is one, with a curve for every model, with its interval as a band.
func (r *docsReport) panels() []plot.Panel {
	l := plot.Lines{
		Title: fmt.Sprintf("Questions answered from one of many documents, %d trials each", r.Trials),
		X:     "documents, of which one answers", Y: "accuracy (%), with its 95% interval", High: 100, LogX: true,
	}
	for i, m := range r.Models {
		curve := plot.Curve{Name: filepath.Base(m.Model), Dots: true}
		counts := slices.Clone(m.Counts)
		slices.SortFunc(counts, func(a, b *docsCount) int { return cmp.Compare(a.Documents, b.Documents) })
		for _, k := range counts {
			if i == 0 {
				l.XTicks = append(l.XTicks, plot.Tick{Value: float64(k.Documents), Label: fmt.Sprint(k.Documents)})
			}
			curve.X, curve.Y = append(curve.X, float64(k.Documents)), append(curve.Y, 100*k.Accuracy)
			curve.Low, curve.High = append(curve.Low, 100*k.Low), append(curve.High, 100*k.High)
		}
		l.Curves = append(l.Curves, curve)
	}
	return []plot.Panel{l}
}
