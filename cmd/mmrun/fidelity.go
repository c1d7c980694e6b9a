package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/fidelity"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/tokenizer"
)

func fidelityCommand() *cli.Command {
	return &cli.Command{
		Name:      "fidelity",
		Category:  groupExperiments,
		Usage:     "how much of a token is left when a model has read on",
		UsageText: "mmrun fidelity --file FILE [--tokens N] [--against DIR] [--plot FILE.png] [--json] [FLAGS]",
		Description: `Measures what MemMamba's authors call expected token memory fidelity (ETMF) and expected cross-layer memory fidelity (ECLMF). They have not published formulas; these are ours. Both are measured on the first N tokens of a text.

ETMF of a layer at distance k is the mean over tokens i of max(ρ, π). ρ is the share of token i's write to the state that is left k tokens later: ‖exp(A ΣΔ) ⊙ Δ u B‖ as a share of ‖Δ u B‖, exactly; Mamba-2 has one A and Δ a head. π is the share of the length of the layer's input x that the row space of note_proj keeps, if token i's note is then in a pool that is read, by the layer's own attention or a later layer's, and else 0. Without a memory ETMF is the mean of ρ: the decay of a Mamba's state.

ECLMF of two layers is the linear centered kernel alignment of their normalized inputs x over up to 512 tokens: 1 for inputs that are alike except for a rotation and a factor, 0 for unrelated ones.

With --json the output is one object: file, tokens, distances, samples, and models, each with model, device, state (mean ρ over tokens and layers), etmf, noted (the share of tokens whose note is in a pool that is read), layers with the same for each, and etmf_error, a standard error over tokens, and eclmf, a row for each layer.

Examples:
mmrun fidelity --model memmamba --file book.txt --plot fidelity.png
mmrun fidelity --model memmamba --against mamba --file book.txt --tokens 8192
mmrun fidelity --model memmamba --file book.txt --json | jq '.models[0].eclmf[0]'`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Category: "Input", Usage: "the text, UTF-8; `FILE` - is standard input, which is read where nothing else is given"},
			againstFlag(),
			&cli.IntFlag{Name: "tokens", Category: "Measurement", Value: 4096, Usage: "read `N` tokens of the text"},
			&cli.StringFlag{Name: "distances", Category: "Measurement", Usage: "look back `K,K,...` tokens", DefaultText: "powers of two up to half of the tokens"},
			&cli.IntFlag{Name: "samples", Category: "Measurement", Value: 256, Usage: "follow `N` tokens"},
			&cli.Uint64Flag{Name: "seed", Category: "Measurement", Value: 1, Usage: "`NUMBER` that the choice of tokens follows from"},
			jsonFlag("print one JSON object instead of tables"),
			plotFlag(),
		}, engineFlags()),
		Action: fidelityAction,
	}
}

func fidelityAction(c *cli.Context) error {
	err := cmp.Or(noArguments(c), checkEngineFlags(c), pipedFile(c, "file"), required(c, "file"), checkPlot(c), readOnce(c, "file"))
	if err != nil {
		return err
	}
	r := &fidelityReport{File: textName(c.String("file")), Tokens: c.Int("tokens")}
	if r.Distances, err = distances(c); err != nil {
		return err
	}
	last := r.Distances[len(r.Distances)-1]
	if last > r.Tokens-2 {
		return usagef("--distances: %d leaves no two of %d tokens that have as many behind them", last, r.Tokens)
	}
	r.chosen = fidelity.Spread(c.Uint64("seed"), c.Int("samples"), r.Tokens-last)
	r.alike = fidelity.Spread(c.Uint64("seed"), mostAlike, r.Tokens)
	r.Samples = len(r.chosen)
	err = eachModel(c, func(e *opened, _ *tokenizer.Tokenizer, encode corpus.Encoder) error {
		return r.measure(c, e, encode)
	})
	if err != nil {
		return err
	}
	return publish(c, r)
}

// distances are those asked for, the nearest first.
func distances(c *cli.Context) ([]int, error) {
	if c.IsSet("distances") {
		list, err := wholeNumbers("--distances", c.String("distances"), 1, mostTokens)
		slices.Sort(list)
		return list, err
	}
	var list []int
	for k := 1; k <= c.Int("tokens")/2; k *= 2 {
		list = append(list, k)
	}
	return list, nil
}

// firstTokens reads the beginning of a text, bos_token_id before it if there is one.
func (r *fidelityReport) firstTokens(c *cli.Context, e *opened, encode corpus.Encoder) ([]int32, error) {
	name, from, _, err := openText(c, c.String("file"))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	var ids []int32
	if bos := e.Sizes().BOS; len(bos) > 0 {
		ids = append(ids, bos[0])
	}
	text := corpus.New(name, from, encode)
	for len(ids) < r.Tokens {
		more, err := text.Next()
		if err != nil {
			return nil, shortText(name, len(ids), r.Tokens, err)
		}
		ids = append(ids, more...)
	}
	return ids[:r.Tokens], nil
}

// sourceWeights reads what the measure needs of every layer's weights.
func sourceWeights(e *opened) ([]memmamba.Fading, error) {
	tensors, closing, err := e.source.weights()
	if err != nil {
		return nil, err
	}
	defer closing()
	layers, err := memmamba.FadingLayers(e.Config(), func(name string) ([]float32, error) {
		t, ok := tensors.Tensor(name)
		if !ok {
			return nil, fmt.Errorf("tensor %s is missing", name)
		}
		return t.Float32s()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.source.Name(), err)
	}
	return layers, nil
}
