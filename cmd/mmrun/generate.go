package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/grammar"
	"github.com/mmrun/mmrun/tokenizer"
)

func generateCommand() *cli.Command {
	output := []cli.Flag{
		&cli.IntFlag{Name: "max-tokens", Aliases: []string{"n", "n-predict"}, Category: "Output", Value: 256,
			Usage: "write at most `N` tokens; 0 only reads the prompt"},
		&cli.StringSliceFlag{Name: "stop", Category: "Output", KeepSpace: true,
			Usage: "end before `TEXT` appears in the output; may be given several times"},
		jsonFlag("print one JSON object at the end instead of streaming text"),
	}
	return &cli.Command{
		Name:      "generate",
		Category:  groupRun,
		Usage:     "write text that continues a prompt",
		UsageText: "mmrun generate --prompt TEXT | --prompt-file FILE | - | --batch FILE [FLAGS]",
		Description: `The text goes to standard output as it is made, and nothing else does: the prompt is not repeated. A line of timings follows on standard error when that is a terminal. Writing ends after --max-tokens, at one of the model's end-of-text tokens, before a --stop text, or with Ctrl-C. Where a flag of sampling is not given, the model's generation_config.json counts before the flag's default.

With --json the output is one object: model, device, seed, prompt_tokens and tokens (ids), text, finish_reason (length, eos, stop or interrupted), timings (load_s, prompt_s, generate_s, prompt_tokens_per_s, generate_tokens_per_s) and memory (weights, state, activations and all that is allocated on the device, in bytes); with --decimate also kept: how many tokens of the prompt each such layer let stay.

With --json-schema the text is JSON that meets a schema, with --grammar one that a grammar in GBNF (llama.cpp's notation) describes: only tokens are chosen that lead to such a text. docs/grammar.md says what schemas may ask for. A text that --max-tokens cuts short is not whole.

With --batch the lines of a file are prompts, of which up to --batch-size are continued together: the weights are read once for all of them, so that more tokens are made in a second. Every text is the one that its prompt and the seed give alone. The output is one JSON object a line, in the order of the input: index (from 0), seed, prompt_tokens, tokens, text, finish_reason and timings. Before anything is generated all prompts are read; a line that is empty or not UTF-8 is an error. After Ctrl-C what there is by then is written.

Examples:
mmrun generate --prompt "It was a dark night"
mmrun generate --model ~/models/mamba-130m --prompt-file chapter.txt --temp 0
mmrun generate "Dear Sir," --stop $'\n\n' --max-tokens 80
fortune | mmrun generate --seed 7 --json | jq -r .text
mmrun generate --prompt-file book.txt --max-tokens 0 --state-save book.state
mmrun generate --state-load book.state --prompt "In short, "
mmrun generate --batch prompts.txt --batch-size 32 -n 100 | jq -r .text`,
		Flags:  slices.Concat(textFlags("to continue"), output, grammarFlags(), batchFlags(), samplingFlags(), stateFlags(), decimateFlags(), engineFlags()),
		Action: generateAction,
	}
}

func stateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "state-load", Category: "State",
			Usage: "continue where the `FILE` that --state-save wrote left off; a prompt is then optional"},
		&cli.StringFlag{Name: "state-save", Category: "State", Usage: "write the model's state after the last token to `FILE`"},
	}
}

// generation is one run of the command.
type generation struct {
	*opened
	tok     *tokenizer.Tokenizer
	options engine.GenerateOptions
	text    *mmrun.Text
	stop    []string
	grammar *grammar.Grammar        // that the text is held to, or nil
	saves   bool                    // the state, to go on from
	emit    func(text string) error // streams text out

	prompt    []int32
	continues bool // the prompt goes on after a saved state
	spent     engine.Timings
	kept      []engine.Kept // of the prompt, by layers that drop tokens

	vocabulary *grammar.Vocabulary // made when a text is held to a grammar
}

func generateAction(c *cli.Context) (err error) {
	if c.IsSet("batch") {
		return batchAction(c)
	}
	if c.IsSet("batch-size") {
		return usagef("--batch-size needs --batch")
	}
	g := &generation{}
	g.emit = func(text string) error { return printText(c, text) }
	if c.Bool("json") {
		g.emit = func(string) error { return nil } // it is printed at the end
	}
	if err := g.readFlags(c); err != nil {
		return err
	}
	in, src, err := readPrompt(c)
	if err != nil {
		return err
	}
	// A large vocabulary takes as long to read as a device to open.
	encoded := make(chan error, 1)
	g.continues = c.IsSet("state-load")
	go func() { encoded <- g.encode(in, src) }()
	g.opened, err = openEngine(c, src)
	if err == nil {
		defer g.close(&err)
	}
	if err = cmp.Or(<-encoded, err); err != nil {
		return err
	}
	if err := src.checkFit(g.prompt, g.Sizes().Vocab); err != nil {
		return err
	}
	g.options.Sample.Vocab = g.tok.VocabSize() // rows beyond it are padding
	modelSampling(c, &g.options.Sample, g.Generation().Sampling)
	state, err := g.loadState(c.String("state-load"))
	if err != nil {
		return err
	}
	defer state.Close()

	sig := signalsOf(c)
	sig.graceful()
	err = g.run(sig.ctx, state)
	g.console.clear()
	if err != nil && g.text.Finish != mmrun.FinishInterrupted {
		return err
	}
	// An interruption loses nothing: the text so far is reported and the state saved all the same.
	return cmp.Or(g.report(c), g.saveState(c.String("state-save"), state), err)
}

// readFlags finds what is wrong with the command line before anything is opened.
func (g *generation) readFlags(c *cli.Context) error {
	err := cmp.Or(checkEngineFlags(c), checkDecimation(c), exclusive(c, "decimate", "batch"), exclusive(c, "decimate", "state-load"))
	if err != nil {
		return err
	}
	for _, name := range []string{"state-load", "state-save"} {
		if c.IsSet(name) && c.String(name) == "" {
			return usagef("--%s needs the name of a file", name)
		}
	}
	g.stop = c.StringSlice("stop")
	if slices.Contains(g.stop, "") {
		return usagef("--stop: the text is empty")
	}
	g.options = engine.GenerateOptions{MaxTokens: c.Int("max-tokens")}
	if g.options.Sample, err = flagSampling(c); err != nil {
		return err
	}
	if g.saves = c.IsSet("state-save"); g.saves {
		if err := checkOutput(c.String("state-save")); err != nil {
			return err
		}
	}
	g.grammar, err = readGrammar(c)
	return err
}

// readPrompt reads the prompt and finds the model.
func readPrompt(c *cli.Context) (input, source, error) {
	in, ok, err := readInput(c)
	if err == nil && !ok && !c.IsSet("state-load") {
		in, ok, err = readPiped(c)
	}
	if err != nil {
		return in, source{}, err
	}
	if !ok && !c.IsSet("state-load") {
		return in, source{}, usagef("no prompt: give --prompt TEXT, --prompt-file FILE, or pipe it in")
	}
	if ok && in.text == "" {
		return in, source{}, fmt.Errorf("%s: the prompt is empty", in.name)
	}
	src, err := sourceOf(c)
	return in, src, err
}

// encode reads the tokenizer and turns the prompt into tokens.
func (g *generation) encode(in input, src source) (err error) {
	if g.tok, err = src.tokenizer(); err != nil {
		return err
	}
	// A text that goes on has no beginning, and one that is to go on has no end.
	options := tokenizer.Options{Continues: g.continues, NoEnd: true}
	if g.prompt, err = g.tok.EncodeWith(in.text, options); err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	return nil
}

// run reads the prompt and writes the text.
func (g *generation) run(ctx context.Context, state *engine.State) error {
	progress := g.console.progress("prompt", tokenWords)
	g.options.Progress = func(done, total int) { progress(int64(done), int64(total)) }
	prompt, recent := g.prompt, []int32(nil)
	if len(g.prompt) == 0 {
		recent = state.Recent(16) // a character that these left unfinished goes on
	}
	g.text = mmrun.NewText(g.tok, g.stop, recent...)
	options, err := g.optionsOfText()
	if err != nil {
		return err
	}
	if g.drop != nil {
		kept, err := g.decimate(ctx, state, prompt, *g.drop, g.options.Progress)
		if err != nil {
			return err
		}
		prompt, g.kept = nil, kept
	}
	var failed error
	for id, err := range g.Generate(ctx, state, prompt, options) {
		if failed = err; err != nil {
			break
		}
		g.console.clear()
		if failed = g.show(g.text.Add(id)); failed != nil || g.text.Finish != "" {
			break
		}
	}
	g.spent = state.Timings()
	return g.wrapUp(failed)
}

// show streams a piece of text out.
func (g *generation) show(piece string) error {
	if piece == "" {
		return nil
	}
	return g.emit(piece)
}

// wrapUp writes the text that was held back, and ends the last line of what was streamed.
func (g *generation) wrapUp(failed error) error {
	interrupted := errors.Is(failed, context.Canceled) && len(g.text.Tokens) > 0
	if failed != nil && !interrupted {
		return failed
	}
	if err := g.show(g.text.End(g.options.MaxTokens, interrupted, g.saves)); err != nil {
		return err
	}
	if g.options.MaxTokens > 0 && !strings.HasSuffix(g.text.String(), "\n") {
		return cmp.Or(g.emit("\n"), failed)
	}
	return failed
}

// generateReport is what --json prints.
type generateReport struct {
	Model        string       `json:"model"`
	Device       string       `json:"device"`
	Seed         uint64       `json:"seed"`
	PromptTokens []int32      `json:"prompt_tokens"`
	Tokens       []int32      `json:"tokens"`
	Text         string       `json:"text"`
	FinishReason string       `json:"finish_reason"`
	Timings      timings      `json:"timings"`
	Memory       memoryReport `json:"memory"`
	Kept         []keptReport `json:"kept,omitempty"`
}

// timings are in seconds and tokens per second.
type timings struct {
	Load         float64 `json:"load_s"`
	Prompt       float64 `json:"prompt_s"`
	Generate     float64 `json:"generate_s"`
	PromptRate   float64 `json:"prompt_tokens_per_s"`
	GenerateRate float64 `json:"generate_tokens_per_s"`
}

// memoryReport is in bytes.
type memoryReport struct {
	Weights     int64 `json:"weights"`
	State       int64 `json:"state"`                     // of a new sequence
	StateToken  int64 `json:"state_per_token,omitempty"` // what a token adds to it
	Activations int64 `json:"activations"`
	Allocated   int64 `json:"allocated"` // all of it, with what the device rounds up
}

func (e *opened) memoryReport() memoryReport {
	use := e.Memory()
	return memoryReport{use.Weights, use.State, use.StateToken, use.Activations, use.Allocated}
}

// report prints the closing line, or the JSON object.
func (g *generation) report(c *cli.Context) error {
	t := timings{
		Load: g.load.Seconds(), Prompt: g.spent.Prompt.Seconds(), Generate: g.spent.Generate.Seconds(),
		PromptRate:   perSecond(g.spent.PromptTokens, g.spent.Prompt),
		GenerateRate: perSecond(g.spent.GeneratedTokens, g.spent.Generate),
	}
	g.console.note(fmt.Sprintf("load %.2f s · prompt %d tokens, %.1f tok/s · generated %d tokens, %.1f tok/s · memory %s",
		t.Load, len(g.prompt), t.PromptRate, len(g.text.Tokens), t.GenerateRate, formatBytes(g.Memory().Allocated)))
	if !c.Bool("json") {
		return nil
	}
	return printJSON(c, generateReport{
		Model: g.source.Name(), Device: g.Device().Name, Seed: g.options.Sample.Seed,
		PromptTokens: append([]int32{}, g.prompt...), Tokens: append([]int32{}, g.text.Tokens...),
		Text: g.text.String(), FinishReason: string(g.text.Finish), Timings: t, Memory: g.memoryReport(),
		Kept: keptReports(g.kept),
	})
}
