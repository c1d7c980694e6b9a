package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/tokenizer"
)

func tokenizeCommand() *cli.Command {
	return &cli.Command{
		Name:      "tokenize",
		Category:  groupRun,
		Usage:     "turn text into token ids, or ids into text",
		UsageText: "mmrun tokenize [--prompt TEXT | --prompt-file FILE | -] [--decode] [FLAGS]",
		Description: `Prints the ids as one JSON array. Without a text it reads standard input. Names of special tokens in the text are those tokens, unless --no-parse-special is given. With --decode it takes ids, as a JSON array or separated by commas or white space, and writes their text, special tokens by their names, with no line end of its own and U+FFFD for bytes that are no UTF-8. No device is needed.

Examples:
mmrun tokenize --prompt "Hello, world"
mmrun tokenize --no-special --no-parse-special "a text with <|endoftext|> in it"
mmrun tokenize --model ~/models/mamba-130m < chapter.txt | jq length
mmrun tokenize --tokenizer tokenizer.json --decode "12092, 13, 1533"`,
		Flags: slices.Concat(textFlags("to turn into tokens"), []cli.Flag{
			&cli.BoolFlag{Name: "decode", Category: "Input", Usage: "the input is token ids; write their text"},
			&cli.BoolFlag{Name: "no-special", Category: "Input", Usage: "without the special tokens around the text, or, with --decode, in it"},
			&cli.BoolFlag{Name: "no-parse-special", Category: "Input", Usage: "names of special tokens in the text are text"},
			modelFlag(),
			&cli.StringFlag{Name: "tokenizer", Category: "Model", Usage: "a tokenizer.json or tokenizer.model `FILE`, or a folder with one, instead of a model"},
		}),
		Action: tokenizeAction,
	}
}

func tokenizeAction(c *cli.Context) error {
	if err := exclusive(c, "model", "tokenizer"); err != nil {
		return err
	}
	in, ok, err := readInput(c)
	if err == nil && !ok {
		in, err = readFile(c, stdinName)
	}
	if err != nil {
		return err
	}
	tok, err := chosenTokenizer(c)
	if err != nil {
		return err
	}
	if c.Bool("decode") {
		ids, err := in.parseIDs(tok.VocabSize())
		if err != nil {
			return err
		}
		if c.Bool("no-special") {
			return printText(c, tok.Decode(ids))
		}
		return printText(c, tok.DecodeAll(ids))
	}
	ids, err := tok.EncodeWith(in.text, tokenizer.Options{NoSpecial: c.Bool("no-special"), Literal: c.Bool("no-parse-special")})
	if err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	return writeIDs(c.App.Writer, ids)
}

func chosenTokenizer(c *cli.Context) (*tokenizer.Tokenizer, error) {
	if !c.IsSet("tokenizer") {
		src, err := sourceOf(c)
		if err != nil {
			return nil, err
		}
		return src.tokenizer()
	}
	tok, _, err := namedTokenizer(c.String("tokenizer"))
	return tok, err
}

// writeIDs writes ids as a JSON array on one line, piece by piece: a book has a million of them.
func writeIDs(w io.Writer, ids []int32) error {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		if b = strconv.AppendInt(b, int64(id), 10); len(b) > 1<<16 {
			if _, err := w.Write(b); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
			b = b[:0]
		}
	}
	if _, err := w.Write(append(b, "]\n"...)); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
