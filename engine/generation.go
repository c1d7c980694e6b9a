package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/sample"
)

const generationName = "generation_config.json"

// Generation is what a model's generation_config.json says of how its texts are continued. The zero value is that of a
// model without one.
type Generation struct {
	EOS      []int32 // tokens that end a text, besides those of config.json
	Sampling Sampling
}

// Sampling is how a model's maker wants tokens to be chosen; nil where nothing is said.
type Sampling struct {
	Temperature   *float64 `json:"temperature,omitempty"` // 0 where do_sample is false
	TopK          *int     `json:"top_k,omitempty"`
	TopP          *float64 `json:"top_p,omitempty"`
	MinP          *float64 `json:"min_p,omitempty"`
	RepeatPenalty *float64 `json:"repetition_penalty,omitempty"`
}

// Apply puts what is said in place of an option's value.
func (s Sampling) Apply(o *sample.Options) {
	set(&o.Temperature, s.Temperature)
	set(&o.TopK, s.TopK)
	set(&o.TopP, s.TopP)
	set(&o.MinP, s.MinP)
	if s.RepeatPenalty != nil { // Hugging Face's, which sees all tokens
		o.RepeatPenalty, o.RepeatLast = *s.RepeatPenalty, -1
	}
}

func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// endTokens are a token id, a list of them, or null.
type endTokens []int32

func (t *endTokens) UnmarshalJSON(data []byte) error {
	var one *int32
	if json.Unmarshal(data, &one) == nil {
		if one != nil {
			*t = endTokens{*one}
		}
		return nil
	}
	if json.Unmarshal(data, (*[]int32)(t)) != nil {
		return errors.New("eos_token_id is neither a token's id nor a list of them")
	}
	return nil
}

// ReadGeneration reads a model's generation_config.json; one that is not there says nothing. Errors name the file and
// the field.
func ReadGeneration(src checkpoint.Source) (Generation, error) {
	data, err := src.File(generationName)
	if errors.Is(err, fs.ErrNotExist) {
		return Generation{}, nil
	}
	if err != nil {
		return Generation{}, err
	}
	g, err := parseGeneration(data)
	if err != nil {
		return Generation{}, Refused(fmt.Errorf("%s: %w", src.Path(generationName), err))
	}
	return g, nil
}

func parseGeneration(data []byte) (Generation, error) {
	var told struct {
		Sampling
		EOS     endTokens `json:"eos_token_id"`
		Samples *bool     `json:"do_sample"`
	}
	if err := config.Decode(data, &told); err != nil {
		return Generation{}, err
	}
	g := Generation{EOS: told.EOS, Sampling: told.Sampling}
	if told.Samples != nil && !*told.Samples {
		g.Sampling.Temperature = new(float64)
	}
	if p := g.Sampling.TopP; p != nil && *p == 0 { // one token, where an option's 0 is all
		*p = math.SmallestNonzeroFloat64
	}
	return g, g.Sampling.check()
}

// check says whether the settings make sense.
func (s Sampling) check() error {
	least := func(name string, value *float64, low float64) error {
		if value != nil && !(*value >= low && *value <= math.MaxFloat32) {
			return fmt.Errorf("%s %g is not %g or more", name, *value, low)
		}
		return nil
	}
	share := func(name string, value *float64) error {
		if value != nil && !(*value >= 0 && *value <= 1) {
			return fmt.Errorf("%s %g is not between 0 and 1", name, *value)
		}
		return nil
	}
	err := cmp.Or(least("temperature", s.Temperature, 0), least("repetition_penalty", s.RepeatPenalty, 0.01), share("top_p", s.TopP), share("min_p", s.MinP))
	if s.TopK != nil && *s.TopK < 0 {
		err = cmp.Or(err, fmt.Errorf("top_k %d is negative", *s.TopK))
	}
	if err != nil {
		return err
	}
	var o sample.Options // whatever else the sampler asks of them
	s.Apply(&o)
	return o.Validate()
}

// joined are the tokens of both lists, each once.
func joined(first, second []int32) []int32 {
	all := slices.Clone(first)
	for _, id := range second {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}
