package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/retrieval"
	"github.com/mmrun/mmrun/internal/experiment/stats"
	"github.com/mmrun/mmrun/internal/infile"
	"github.com/mmrun/mmrun/internal/plot"
	"github.com/mmrun/mmrun/tokenizer"
)

// score counts right answers, as --json prints it.
type score struct {
	Accuracy float64 `json:"accuracy"`
	Low      float64 `json:"low"`  // 95% interval
	High     float64 `json:"high"` // of the accuracy
	Right    int     `json:"right"`
	Trials   int     `json:"trials"`
}

func scoreOf(right, trials int) score {
	low, high := stats.Interval(right, trials)
	return score{float64(right) / float64(trials), low, high, right, trials}
}

// cells are the accuracy and its interval for a table, in percent.
func (s score) cells() []string {
	return []string{plot.Percent(s.Accuracy), plot.Percent(s.Low), plot.Percent(s.High)}
}

// reply is what a model wrote and should have written.
type reply struct {
	Answer string `json:"answer"`
	Wrote  string `json:"wrote"`
	Right  bool   `json:"right"`
}

// asking puts prompts to a model and follows the tokens it reads.
type asking struct {
	*opened
	tok      *tokenizer.Tokenizer
	trunk    *engine.State
	done     int64
	total    int64
	progress func(done, total int64)
}

// newAsking starts a progress bar; total is how many tokens there will be to read. close ends both.
func (e *opened) newAsking(tok *tokenizer.Tokenizer, total int64) (*asking, error) {
	trunk, err := e.NewState()
	if err != nil {
		return nil, err
	}
	return &asking{opened: e, tok: tok, trunk: trunk, total: total, progress: e.console.progress("tokens", tokenWords)}, nil
}

func (a *asking) close() {
	a.console.clear()
	a.trunk.Close()
}

// askOne puts a prompt to the model. confused says that what it writes is the answer to another of the prompt's questions.
func (a *asking) askOne(ctx context.Context, p retrieval.Prompt) (one reply, confused bool, err error) {
	replies, err := a.ask(ctx, []retrieval.Prompt{p})
	if err != nil {
		return reply{}, false, err
	}
	one = replies[0]
	return one, slices.ContainsFunc(p.Others, func(other string) bool { return retrieval.Right(one.Wrote, other) }), nil
}

// ask puts prompts to the model and returns what it writes after each. What all prompts that are left
// begin with is read once: the state is branched there.
func (a *asking) ask(ctx context.Context, prompts []retrieval.Prompt) ([]reply, error) {
	var replies []reply
	for i, p := range prompts {
		if i == 0 || a.drop != nil {
			if err := a.trunk.Reset(); err != nil {
				return nil, err
			}
		}
		wrote, err := a.answer(ctx, prompts[i:])
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply{p.Answer, wrote, retrieval.Right(wrote, p.Answer)})
	}
	return replies, nil
}

// answer is what the model writes after the first of some prompts. The trunk has read what it shares
// with the others after that, or all of it when there are none.
func (a *asking) answer(ctx context.Context, prompts []retrieval.Prompt) (string, error) {
	if a.drop != nil { // of whole prompts
		return a.continuation(ctx, a.trunk, prompts[0].Tokens)
	}
	at, to := int(a.trunk.Position()), shared(prompts)
	if len(prompts) == 1 {
		return a.continuation(ctx, a.trunk, prompts[0].Tokens[at:])
	}
	if to > at {
		if _, err := a.Forward(ctx, a.trunk, prompts[0].Tokens[at:to]); err != nil {
			return "", err
		}
		a.done += int64(to - at)
	}
	branch, err := a.trunk.Clone()
	if err != nil {
		return "", err
	}
	defer branch.Close()
	return a.continuation(ctx, branch, prompts[0].Tokens[to:])
}

// shared is how much of prompts is read once: of each at least a token is left.
func shared(prompts []retrieval.Prompt) int {
	n := retrieval.Shared(prompts)
	for _, p := range prompts {
		n = min(n, len(p.Tokens)-1)
	}
	return n
}

// continuation is what the model writes greedily after a prompt, as far as an answer goes.
func (a *asking) continuation(ctx context.Context, state *engine.State, prompt []int32) (string, error) {
	stream := a.tok.ContinueStream()
	var text strings.Builder
	options := engine.GenerateOptions{MaxTokens: retrieval.AnswerTokens,
		Progress: func(done, _ int) { a.progress(a.done+int64(done), a.total) }}
	read := len(prompt)
	if a.drop != nil {
		if _, err := a.decimate(ctx, state, prompt, *a.drop, options.Progress); err != nil {
			return "", err
		}
		prompt = nil
	}
	for id, err := range a.Generate(ctx, state, prompt, options) {
		if err != nil {
			return "", err
		}
		text.WriteString(stream.Push(id))
		if retrieval.Enough(text.String()) {
			break
		}
	}
	a.done += int64(read)
	return text.String() + stream.Flush(), nil
}

// toRead is how many tokens asking prompts takes.
func (e *opened) toRead(prompts []retrieval.Prompt) int64 {
	total, at := 0, 0
	for i, p := range prompts {
		to := len(p.Tokens)
		if e.drop != nil {
			at = 0
		} else if i+1 < len(prompts) {
			to = max(at, shared(prompts[i:]))
		}
		total += to - at + len(p.Tokens) - to
		at = to
	}
	return int64(total)
}

// paired compares a model with the first one, prompt by prompt.
type paired struct {
	FirstOnly int     `json:"first_only"` // right
	ThisOnly  int     `json:"this_only"`
	P         float64 `json:"p"` // of a difference as large between equals (McNemar, exact)
}

func pairedOf(first, this []reply) *paired {
	p := &paired{}
	for i := range this {
		switch {
		case first[i].Right && !this[i].Right:
			p.FirstOnly++
		case this[i].Right && !first[i].Right:
			p.ThisOnly++
		}
	}
	p.P = stats.Paired(p.FirstOnly, p.ThisOnly)
	return p
}

// pairedHeadings and cells are for a table of a model after the first.
var pairedHeadings = []string{">first only", ">this only", ">p"}

func (p *paired) cells() []string {
	if p == nil {
		return nil
	}
	return []string{fmt.Sprint(p.FirstOnly), fmt.Sprint(p.ThisOnly), fmt.Sprintf("%.2g", p.P)}
}

// againstFlag names models that are measured, too.
func againstFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "against", Category: "Model",
		Usage: "also measure the model in `DIR`, such as the same without memory; may be given several times"}
}

// retrievalFlags are those of every command that asks a model for what it has read.
func retrievalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "trials", Category: "Measurement", Value: 10, Usage: "ask `N` times in every case"},
		&cli.Uint64Flag{Name: "seed", Category: "Measurement", Value: 1, Usage: "`NUMBER` that the prompts follow from"},
		jsonFlag("print one JSON object instead of tables"),
		againstFlag(),
		plotFlag(),
	}
}

// checkRetrieval finds what is wrong with retrievalFlags, and with those of the engine.
func checkRetrieval(c *cli.Context) error {
	return cmp.Or(noArguments(c), checkEngineFlags(c), checkDecimation(c), checkPlot(c))
}

// mostFiller bounds a text that is kept in memory as a whole, in tokens.
const mostFiller = 1 << 26

// readOnce refuses standard input, and a pipe, for a text that several models read.
func readOnce(c *cli.Context, flag string) error {
	if c.IsSet("against") && c.String(flag) == stdinName {
		return usagef("--%s: standard input can be read once only, and --against reads it again", flag)
	}
	if c.IsSet("against") {
		return infile.Again(c.String(flag))
	}
	return nil
}

// eachModel opens the model and those it is held against, one after the other.
func eachModel(c *cli.Context, measure func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error) error {
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	sources := []source{src}
	for _, dir := range c.StringSlice("against") {
		if src, err = sourceAt(c, dir); err != nil {
			return err
		}
		sources = append(sources, src)
	}
	for _, src := range sources {
		if err := withModel(c, src, measure); err != nil {
			return err
		}
	}
	return nil
}

func withModel(c *cli.Context, src source, measure func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error) (err error) {
	tok, err := src.tokenizer()
	if err != nil {
		return err
	}
	e, err := openEngine(c, src)
	if err != nil {
		return err
	}
	defer e.close(&err)
	signalsOf(c).graceful()
	return measure(e, tok, corpus.Plain(tok))
}

// allTokens reads a whole text as tokens.
func allTokens(c *cli.Context, path string, encode corpus.Encoder) ([]int32, error) {
	name, from, _, err := openText(c, path)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	var ids []int32
	for r := corpus.New(name, from, encode); ; {
		more, err := r.Next()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		if ids = append(ids, more...); len(ids) > mostFiller {
			return nil, fmt.Errorf("%s: above the limit of %d tokens", name, mostFiller)
		}
	}
}
