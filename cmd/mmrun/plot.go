package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/infile"
	"github.com/mmrun/mmrun/internal/plot"
)

func plotCommand() *cli.Command {
	return &cli.Command{
		Name:      "plot",
		Category:  groupExperiments,
		Usage:     "draw what an experiment has printed with --json",
		UsageText: "mmrun plot FILE.json [FILE.json ...] --out FILE.png [--json]",
		Description: `Draws the picture that perplexity, passkey, keys, docs, fidelity or latency would have drawn with --plot. Several files of one experiment are joined into one picture, if all were measured with the same settings. So a model need not be measured again to be compared with another.

With --json the joined object is printed.

Examples:
mmrun plot passkey.json --out passkey.png
mmrun plot memmamba.json mamba.json --out both.png --json > both.json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Category: "Output", Usage: "the PNG `FILE` to write"},
			jsonFlag("also print one JSON object with all models"),
		},
		Action: plotAction,
	}
}

// A report is a finding that can be read back from JSON.
type report interface {
	finding
	complete() // fills in what follows from the rest and is not in the JSON of a model alone
}

func (r *passkeyReport) complete() {
	for _, m := range r.Models[1:] {
		for i, l := range m.Lengths {
			l.Paired = pairedOf(r.Models[0].Lengths[i].replies(), l.replies())
		}
	}
}

func (r *docsReport) complete() {
	for _, m := range r.Models[1:] {
		for i, k := range m.Counts {
			k.Paired = pairedOf(r.Models[0].Counts[i].Replies, k.Replies)
		}
	}
}

func (r *keysReport) complete() {
	for _, m := range r.Models[1:] {
		for i, k := range m.Cases {
			k.Paired = pairedOf(r.Models[0].Cases[i].Replies, k.Replies)
		}
	}
}

func (r *fidelityReport) complete() {
	for _, m := range r.Models {
		m.alike = nil
		for _, row := range m.ECLMF {
			var values []float64
			for _, v := range row {
				values = append(values, float64(v))
			}
			m.alike = append(m.alike, values)
		}
	}
}

func (*perplexityReport) complete() {}
func (*latencyReport) complete()    {}

// reportKinds are the reports by a key that no report before them has.
var reportKinds = []struct {
	key string
	of  func() report
}{
	{"ratios", func() report { return &latencyReport{} }},
	{"distances", func() report { return &fidelityReport{} }},
	{"keys", func() report { return &keysReport{} }},
	{"depths", func() report { return &passkeyReport{} }},
	{"file", func() report { return &perplexityReport{} }},
	{"trials", func() report { return &docsReport{} }},
}

func plotAction(c *cli.Context) error {
	if err := required(c, "out"); err != nil {
		return err
	}
	if c.NArg() == 0 {
		return usagef("no file: give what an experiment printed with --json")
	}
	if err := checkOutput(c.String("out")); err != nil {
		return err
	}
	var all report
	for _, path := range c.Args().Slice() {
		one, err := readReport(path)
		if err == nil && all != nil {
			err = join(all, one, path)
		}
		if err != nil {
			return err
		}
		all = cmp.Or(all, one)
	}
	all.complete()
	if err := writeFile(c.String("out"), func(w io.Writer) error { return plot.Write(w, all.panels()...) }); err != nil || !c.Bool("json") {
		return err
	}
	return printJSON(c, all)
}

// readReport reads what an experiment has printed.
func readReport(path string) (report, error) {
	data, err := infile.Read(path, infile.Most)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, kind := range reportKinds {
		if keys[kind.key] == nil || keys["models"] == nil {
			continue
		}
		r, d := kind.of(), json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if modelsOf(r).Len() == 0 {
			return nil, fmt.Errorf("%s: there are no models", path)
		}
		return r, nil
	}
	return nil, fmt.Errorf("%s: no experiment has printed this", path)
}

// modelsOf are the models of a report.
func modelsOf(r report) reflect.Value { return reflect.ValueOf(r).Elem().FieldByName("Models") }

// join adds the models of another report, if that was measured in the same way.
func join(all, one report, path string) error {
	if reflect.TypeOf(all) != reflect.TypeOf(one) {
		return fmt.Errorf("%s: is of another experiment", path)
	}
	if a, b := settingsOf(all), settingsOf(one); !slices.Equal(a, b) {
		return fmt.Errorf("%s: was measured with %s, the file before with %s", path, b, a)
	}
	models := modelsOf(all)
	models.Set(reflect.AppendSlice(models, modelsOf(one)))
	return nil
}

// settingsOf is how a report was measured: all of it but what came out.
func settingsOf(r report) []byte {
	bare := reflect.New(reflect.TypeOf(r).Elem())
	bare.Elem().Set(reflect.ValueOf(r).Elem())
	bare.Elem().FieldByName("Models").SetZero()
	if l, ok := bare.Interface().(*latencyReport); ok {
		l.Ratios = nil
	}
	text, err := json.Marshal(bare.Interface())
	if err != nil {
		return []byte(err.Error())
	}
	return append(text, lengthsOf(r)...)
}

// lengthsOf are the cases that the first model was measured in.
func lengthsOf(r report) []byte {
	var all []any
	switch r := r.(type) {
	case *passkeyReport:
		for _, l := range r.Models[0].Lengths {
			all = append(all, l.Length)
		}
	case *docsReport:
		for _, k := range r.Models[0].Counts {
			all = append(all, k.Documents)
		}
	case *keysReport:
		for _, k := range r.Models[0].Cases {
			all = append(all, k.Length)
		}
	case *perplexityReport:
		for _, c := range r.Models[0].Contexts {
			all = append(all, c.Context)
		}
	}
	return fmt.Append(nil, all)
}
