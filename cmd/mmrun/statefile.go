package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/infile"
)

// lastTokens is how many of a state's last tokens are shown.
const lastTokens = 32

func stateCommand() *cli.Command {
	return &cli.Command{
		Name:      "state",
		Category:  groupCheck,
		Usage:     "what a saved state is of",
		UsageText: "mmrun state FILE [--model PATH] [FLAGS]",
		Description: `Prints of a state, which generate --state-save wrote or a server gave: the fingerprint of its model and whether that is the model that --model names, how many tokens the sequence has, the size of the file and the last tokens, as text where the model is the same. No device is needed.

Examples:
mmrun state book.state
mmrun state --model ~/models/mamba-130m-hf --json tale.state | jq .position`,
		Flags:  []cli.Flag{modelFlag(), jsonFlag("print one JSON object")},
		Action: stateAction,
	}
}

// mostState bounds a file of which no model says how large its states are, in bytes.
const mostState = 8 << 30

// stateReport is what --json prints.
type stateReport struct {
	File        string  `json:"file"`
	Fingerprint string  `json:"fingerprint"`
	Model       string  `json:"model,omitempty"` // when the state is of it
	Position    int64   `json:"position"`
	Bytes       int64   `json:"bytes"`
	Last        []int32 `json:"last_tokens"`
	Text        string  `json:"last_text,omitempty"`
}

func stateAction(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("state needs the name of one FILE; see %s --help", c.Command.HelpName)
	}
	name := c.Args().First()
	data, err := infile.Read(name, mostState)
	if err != nil {
		return err
	}
	h, err := engine.ReadSaved(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	own, err := engine.FingerprintOf(src, engine.Options{})
	if err != nil {
		return err
	}
	report := stateReport{File: name, Fingerprint: fmt.Sprintf("%x", h.Model), Position: h.Position, Bytes: h.Bytes, Last: h.Recent[max(0, len(h.Recent)-lastTokens):]}
	if own == h.Model {
		tok, err := src.tokenizer()
		if err != nil {
			return err
		}
		report.Model, report.Text = src.Name(), tok.DecodeAll(report.Last)
	}
	if c.Bool("json") {
		return printJSON(c, report)
	}
	return printText(c, report.text(src.Name()))
}

// text is the report in lines.
func (r stateReport) text(other string) string {
	model := r.Model
	if model == "" {
		model = "another than " + other + " (quantized when it was loaded, perhaps); --model PATH names one to compare with"
	}
	lines := []string{
		"model     " + r.Fingerprint[:12] + ", " + model,
		"position  " + counted(int(r.Position), "token"),
		"size      " + formatBytes(r.Bytes),
		"tokens    " + strings.Trim(fmt.Sprint(r.Last), "[]"),
	}
	if r.Text != "" {
		lines = append(lines, fmt.Sprintf("text      %q", r.Text))
	}
	return strings.Join(lines, "\n") + "\n"
}
