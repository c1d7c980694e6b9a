package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/grammar"
	"github.com/mmrun/mmrun/internal/infile"
)

func grammarFlags() []cli.Flag {
	const category = "Output"
	return []cli.Flag{
		&cli.StringFlag{Name: "json-schema", Category: category, Usage: "write JSON that meets the JSON Schema in `FILE`"},
		&cli.StringFlag{Name: "grammar", Category: category, Usage: "write text of the grammar in `FILE`, which is in GBNF"},
	}
}

// readGrammar reads what the output is held to, nil for nothing.
func readGrammar(c *cli.Context) (*grammar.Grammar, error) {
	if err := exclusive(c, "json-schema", "grammar"); err != nil {
		return nil, err
	}
	for _, way := range []struct {
		flag string
		make func([]byte) (*grammar.Grammar, error)
	}{
		{"json-schema", grammar.FromSchema},
		{"grammar", func(data []byte) (*grammar.Grammar, error) { return grammar.Parse(string(data)) }},
	} {
		if !c.IsSet(way.flag) {
			continue
		}
		path := c.String(way.flag)
		if path == "" {
			return nil, usagef("--%s needs the name of a file", way.flag)
		}
		data, err := infile.Read(path, infile.Most)
		if err != nil {
			return nil, err
		}
		g, err := way.make(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return g, nil
	}
	return nil, nil
}

// optionsOfText are the options of one text: a grammar holds each text by itself.
func (g *generation) optionsOfText() (engine.GenerateOptions, error) {
	o := g.options
	if g.grammar == nil {
		return o, nil
	}
	if g.vocabulary == nil {
		g.vocabulary = mmrun.NewVocabulary(g.tok, g.Sizes().EOS)
	}
	var err error
	o.Sample.Constraint, err = g.grammar.Constraint(g.vocabulary)
	return o, err
}
