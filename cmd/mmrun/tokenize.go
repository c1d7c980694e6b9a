package main

import (
	"fmt"
	"os"
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
		Description: `Prints the ids as one JSON array. Without a text it reads standard input. With --decode it takes ids, as a JSON array or separated by commas or white space, and writes their text with no line end of its own and U+FFFD for bytes that are no UTF-8. No device is needed.

Examples:
mmrun tokenize --prompt "Hello, world"
mmrun tokenize --model ~/models/mamba-130m < chapter.txt | jq length
mmrun tokenize --tokenizer tokenizer.json --decode "12092, 13, 1533"`,
		Flags: slices.Concat(textFlags("to turn into tokens"), []cli.Flag{
			&cli.BoolFlag{Name: "decode", Category: "Input", Usage: "the input is token ids; write their text"},
			modelFlag(),
			&cli.StringFlag{Name: "tokenizer", Category: "Model", Usage: "a tokenizer.json `FILE` instead of a model"},
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
		return printText(c, tok.Decode(ids))
	}
	ids, err := tok.Encode(in.text)
	if err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	return printText(c, jsonArray(ids))
}

func chosenTokenizer(c *cli.Context) (*tokenizer.Tokenizer, error) {
	if !c.IsSet("tokenizer") {
		src, err := sourceOf(c)
		if err != nil {
			return nil, err
		}
		return src.tokenizer()
	}
	path := c.String("tokenizer")
	if path == "" {
		return nil, usagef("--tokenizer needs the name of a file")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	return tokenizer.Parse(path, data)
}

// jsonArray is ids on one line; a book has a million of them.
func jsonArray(ids []int32) string {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return string(append(b, "]\n"...))
}
