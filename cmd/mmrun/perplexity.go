package main

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/infile"
	"github.com/mmrun/mmrun/tokenizer"
)

func perplexityCommand() *cli.Command {
	return &cli.Command{
		Name:      "perplexity",
		Category:  groupExperiments,
		Usage:     "how well a model predicts a text, by context length and position",
		UsageText: "mmrun perplexity --file FILE [--context N,...] [--against DIR] [--plot FILE.png] [--json] [FLAGS]",
		Description: `Measures perplexity, which is e to the mean surprise of a token, and bits per byte, the mean surprise of a byte of the text in bits: the figure that models with different tokenizers can be compared by. Without --context the text is read in one go from an empty state. With --context it is cut into pieces of that many tokens, each read from an empty state; several lengths, and "all" for the whole, are measured on the same tokens. The file is read in pieces, so it may be larger than memory.

With --last N only the last N tokens of whole pieces are scored: of those the model has seen most before. --decimate needs that, for what it drops it predicts nothing after; the last --decimate-keep tokens, which are never dropped, must be at least as many.

Every piece is preceded by bos_token_id of the config, so that its first token is predicted too. Where a config has none, or with --no-bos, a piece's first token is not scored.

The ± is a standard error: that of a ratio of sums over up to 128 blocks of at least 256 consecutive tokens, whose neighbours are close to independent. It says how far another text of the same kind may be off, not another training. Below 8 blocks there is none.

With --json the output is one object: file, last (if given) and models, each with model, device, bytes, tokens, bos and contexts: context (0 for the whole text), tokens_per_s, tokens, perplexity, bits_per_byte (value and error), blocks, block_tokens, and positions with the same for the tokens from position "from" to before "to" of their piece. The picture shows bits per byte by context length, if there are several, and by position in the longest, with twice the error on both sides.

Examples:
mmrun perplexity --file book.txt
mmrun perplexity --model ~/models/mamba-130m --file book.txt --context 256,1024,4096,all
mmrun perplexity --model memmamba --against mamba --file book.txt --plot perplexity.png
mmrun perplexity --file book.txt --json | jq '.models[0].contexts[0].bits_per_byte.value'`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Category: "Input", Usage: "the text, UTF-8; `FILE` - is standard input, which is read where nothing else is given"},
			&cli.StringFlag{Name: "context", Category: "Measurement", Value: "all", Usage: "read pieces of `N,N,...` tokens; \"all\" is the whole text"},
			&cli.IntFlag{Name: "last", Category: "Measurement", DefaultText: "all", Usage: "score the last `N` tokens of each piece alone"},
			&cli.BoolFlag{Name: "no-bos", Category: "Measurement", Usage: "no bos_token_id in front of a piece"},
			againstFlag(),
			jsonFlag("print one JSON object instead of tables"),
			plotFlag(),
		}, decimateFlags(), engineFlags()),
		Action: perplexityAction,
	}
}

func perplexityAction(c *cli.Context) error {
	if err := cmp.Or(noArguments(c), checkEngineFlags(c), checkDecimation(c), pipedFile(c, "file"), required(c, "file"), checkPlot(c), readOnce(c, "file")); err != nil {
		return err
	}
	lengths, err := contexts(c)
	if err = cmp.Or(err, checkLast(c, lengths)); err != nil {
		return err
	}
	if file := c.String("file"); file != stdinName { // before a model is loaded for nothing
		if err := infile.Check(file); err != nil {
			return err
		}
	}
	r := &perplexityReport{File: textName(c.String("file")), Last: c.Int("last")}
	err = eachModel(c, func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error {
		return r.measure(c, e, tok, encode, lengths)
	})
	if err != nil {
		return err
	}
	return publish(c, r)
}

// measure adds a model to the report.
func (r *perplexityReport) measure(c *cli.Context, e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder, lengths []int) error {
	name, from, size, err := openText(c, c.String("file"))
	if err != nil {
		return err
	}
	defer from.Close()
	p := &perplexity{opened: e, file: name, size: size, bos: -1, bytes: tokenBytes(tok), end: c.Int("last")}
	if bos := e.Sizes().BOS; len(bos) > 0 && !c.Bool("no-bos") {
		p.bos = bos[0]
	}
	defer p.close()
	if err := p.run(signalsOf(c).ctx, corpus.New(name, from, encode), lengths); err != nil {
		return err
	}
	r.Models = append(r.Models, p.report())
	return nil
}

// checkLast finds what is wrong with --last, for pieces of these lengths.
func checkLast(c *cli.Context, lengths []int) error {
	if !c.IsSet("last") {
		if c.IsSet("decimate") {
			return usagef("--decimate needs --last: nothing is predicted after a token that was dropped")
		}
		return nil
	}
	last := c.Int("last")
	for _, length := range lengths {
		if length == 0 {
			return usagef("--last needs --context N: pieces of a length")
		}
		if last >= length {
			return usagef("--last: %d is not less than a piece of %d tokens", last, length)
		}
	}
	if keep := c.Int("decimate-keep"); c.IsSet("decimate") && keep < last {
		return usagef("--last: %d is more than the %d tokens of --decimate-keep", last, keep)
	}
	return nil
}

// contexts are the lengths that --context asks for, 0 for the whole text.
func contexts(c *cli.Context) ([]int, error) {
	const least = 2 // one token predicts another
	list, all := strings.CutSuffix(","+c.String("context"), ",all")
	if list == "" {
		return []int{0}, nil
	}
	lengths, err := wholeNumbers("--context", list[1:], least, mostContext)
	if all {
		lengths = append(lengths, 0)
	}
	return lengths, err
}

// openText opens the file of a text, or standard input for "-", whose size is not known.
func openText(c *cli.Context, path string) (name string, from io.ReadCloser, size int64, err error) {
	if path == stdinName {
		return textName(path), io.NopCloser(c.App.Reader), 0, nil
	}
	f, err := infile.Open(path)
	if err != nil {
		return "", nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return "", nil, 0, fileError(path, err)
	}
	return path, f, info.Size(), nil
}

// textName is what a text's file is called in reports and errors.
func textName(path string) string {
	if path == stdinName {
		return "standard input"
	}
	return path
}
