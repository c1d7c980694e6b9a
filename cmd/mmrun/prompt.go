package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/infile"
)

// stdinName stands for standard input where a text or a file is expected.
const stdinName = "-"

// textFlags are the ways to hand over a text.
func textFlags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "prompt", Aliases: []string{"p"}, Category: "Input", Usage: "`TEXT` " + what + "; - reads standard input"},
		&cli.StringFlag{Name: "prompt-file", Aliases: []string{"f"}, Category: "Input", Usage: "read the text from `FILE`, byte for byte; - reads standard input"},
	}
}

// input is a text and where it came from, for errors.
type input struct{ name, text string }

// readInput takes the text from --prompt, --prompt-file or the argument. ok is false when there
// is none of them.
func readInput(c *cli.Context) (in input, ok bool, err error) {
	if c.NArg() > 1 {
		return in, false, usagef("unexpected argument %q; quote a text of several words", c.Args().Get(1))
	}
	if err := exclusive(c, "prompt", "prompt-file"); err != nil {
		return in, false, err
	}
	set := c.IsSet("prompt") || c.IsSet("prompt-file")
	if set && c.NArg() == 1 {
		return in, false, usagef("unexpected argument %q beside --prompt or --prompt-file", c.Args().First())
	}
	switch {
	case c.IsSet("prompt-file"):
		in, err = readFile(c, c.String("prompt-file"))
	case c.IsSet("prompt"):
		in, err = literal(c, "--prompt", c.String("prompt"))
	case c.NArg() == 1:
		in, err = literal(c, "prompt", c.Args().First())
	default:
		return in, false, nil
	}
	return in, true, err
}

func literal(c *cli.Context, name, text string) (input, error) {
	if text == stdinName {
		return readFile(c, stdinName)
	}
	return input{name, text}, nil
}

// readFile reads a whole file or pipe, or standard input for "-", of at most infile.Most bytes.
func readFile(c *cli.Context, path string) (input, error) {
	if path == "" {
		return input{}, usagef("--prompt-file needs the name of a file")
	}
	if path == stdinName {
		const name = "standard input"
		data, err := infile.ReadAll(c.App.Reader, name, infile.Most)
		return input{name, string(data)}, err
	}
	data, err := infile.Read(path, infile.Most)
	return input{path, string(data)}, err
}

// fileError names the file first and the reason last, without the system call.
func fileError(path string, err error) error {
	var p *os.PathError
	if !errors.As(err, &p) {
		return err
	}
	reason := p.Err
	if call := (*os.SyscallError)(nil); errors.As(reason, &call) {
		reason = call.Err
	}
	return fmt.Errorf("%s: %w", path, reason)
}

// parseIDs reads token ids out of a JSON array, or separated by commas or white space. The ids
// must be in [0, vocab).
func (in input) parseIDs(vocab int) ([]int32, error) {
	var fields []string
	text := strings.TrimSpace(in.text)
	if strings.HasPrefix(text, "[") {
		var numbers []json.Number
		if err := json.Unmarshal([]byte(text), &numbers); err != nil {
			return nil, fmt.Errorf("%s: not a JSON array of token ids: %w", in.name, err)
		}
		for _, n := range numbers {
			fields = append(fields, n.String())
		}
	} else {
		fields = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	}
	ids := make([]int32, len(fields))
	for i, field := range fields {
		id, err := strconv.ParseInt(field, 10, 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return nil, fmt.Errorf("%s: token %d is %q, not a whole number", in.name, i, field)
		}
		if err != nil || id < 0 || id >= int64(vocab) {
			return nil, fmt.Errorf("%s: token %d is %s, outside the vocabulary of %d", in.name, i, field, vocab)
		}
		ids[i] = int32(id)
	}
	return ids, nil
}

// checkFit refuses tokens of a text that the model has not: its tokenizer.json is that of another model.
func (s source) checkFit(ids []int32, vocab int) error {
	for _, id := range ids {
		if int(id) >= vocab {
			return fmt.Errorf("%s: token id %d of the text is outside the model's vocabulary of %d (vocab_size in %s)",
				s.Path(tokenizerName), id, vocab, configName)
		}
	}
	return nil
}

// checkIDs refuses ids that came out of a file and are not in [0, vocab).
func checkIDs(name string, ids []int32, vocab int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("%s: token %d is %d, outside the vocabulary of %d", name, i, id, vocab)
		}
	}
	return nil
}
