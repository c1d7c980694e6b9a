package memmamba

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Config is a model's config.json with the defaults of Hugging Face's MambaConfig for what is absent.
type Config struct {
	ModelType         string  `json:"model_type"`          // "mamba", "falcon_mamba", "memmamba" or "gpt_neox"
	VocabSize         int     `json:"vocab_size"`          // rows of the embedding
	HiddenSize        int     `json:"hidden_size"`         // d
	IntermediateSize  int     `json:"intermediate_size"`   // E
	NumHiddenLayers   int     `json:"num_hidden_layers"`   // L
	StateSize         int     `json:"state_size"`          // N
	ConvKernel        int     `json:"conv_kernel"`         // K
	Expand            float64 `json:"expand"`              // E = expand·d where intermediate_size is absent
	TimeStepRank      rank    `json:"time_step_rank"`      // R
	LayerNormEpsilon  float64 `json:"layer_norm_epsilon"`  // of every RMSNorm
	MixerRMSEps       float64 `json:"mixer_rms_eps"`       // of FalconMamba's norms of dt, B and C
	UseBias           bool    `json:"use_bias"`            // of in_proj and out_proj
	UseConvBias       bool    `json:"use_conv_bias"`       // of conv1d
	TieWordEmbeddings bool    `json:"tie_word_embeddings"` // the head is the embedding
	HiddenAct         string  `json:"hidden_act"`          // "silu"
	BOS               tokens  `json:"bos_token_id"`
	EOS               tokens  `json:"eos_token_id"`

	// Memory is set for MemMamba models only.
	Memory *MemoryConfig `json:"-"`

	// Transformer is set for GPT-NeoX models only, which take from above what says nothing of a
	// state space.
	Transformer *TransformerConfig `json:"-"`
}

// The limits of what the kernels take.
const (
	maxStateSize  = 64
	maxConvKernel = 16
	maxWidth      = 1 << 17
	maxLayers     = 1 << 10
	maxVocabulary = 1 << 24
)

// absent stands for a key that is not in the file where its default follows from others or may be out of
// its own bounds.
const absent = math.MinInt

// rank is a time-step rank: a number, or "auto" (absent) for ceil(d / 16).
type rank int

func (r *rank) UnmarshalJSON(data []byte) error {
	if string(data) == `"auto"` {
		*r = absent
		return nil
	}
	return json.Unmarshal(data, (*int)(r))
}

// tokens is a token id, a list of them, or null.
type tokens []int32

func (t *tokens) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = nil
		return nil
	}
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]int32)(t))
	}
	var one int32
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*t = tokens{one}
	return nil
}

// ParseConfig reads a config.json; name is its file in errors, which also name the field.
func ParseConfig(name string, data []byte) (Config, error) {
	c := Config{
		VocabSize: 50280, HiddenSize: 768, IntermediateSize: absent, NumHiddenLayers: 32, StateSize: 16, ConvKernel: 4,
		Expand: 2, TimeStepRank: absent,
		LayerNormEpsilon: 1e-5, MixerRMSEps: 1e-6, UseConvBias: true, TieWordEmbeddings: true,
		HiddenAct: "silu", BOS: tokens{0}, EOS: tokens{0},
	}
	if err := decode(data, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	if c.ModelType == neoxType {
		return parseTransformer(name, data)
	}
	if c.ModelType == memmambaType {
		c.Memory = defaultMemory()
		if err := decode(data, c.Memory); err != nil {
			return Config{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if c.TimeStepRank == absent {
		c.TimeStepRank = rank((c.HiddenSize + 15) / 16)
	}
	if c.IntermediateSize == absent {
		inner := c.Expand * float64(c.HiddenSize)
		if !(inner >= 1 && inner <= maxWidth) {
			return Config{}, fmt.Errorf("%s: expand %g of hidden_size %d is not within 1 to %d", name, c.Expand, c.HiddenSize, maxWidth)
		}
		c.IntermediateSize = int(inner)
	}
	if err := c.validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// decode is json.Unmarshal with errors in the words of someone who reads the file.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && strings.HasPrefix(kind.Value, "number "):
		return fmt.Errorf("%s: %s is not %s of %d bits", kind.Field, strings.TrimPrefix(kind.Value, "number "), wordsFor(kind.Type), kind.Type.Bits())
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s: %s where %s is expected", kind.Field, articled(kind.Value), wordsFor(kind.Type))
	case errors.As(err, &kind):
		return fmt.Errorf("%s where an object is expected", articled(kind.Value))
	case errors.As(err, &syntax):
		return fmt.Errorf("broken JSON at byte %d: %v", syntax.Offset, err)
	}
	return fmt.Errorf("broken JSON: %v", err)
}

// articled names a kind of value as encoding/json does, such as "number 1.5", in a sentence.
func articled(value string) string {
	switch {
	case value == "bool":
		return "true or false"
	case strings.HasPrefix(value, "array"), strings.HasPrefix(value, "object"):
		return "an " + value
	}
	return "a " + value
}

// wordsFor is what a field of that type holds.
func wordsFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int32, reflect.Slice:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	}
	return "a " + t.Kind().String()
}

const memmambaType, falconType, neoxType = "memmamba", "falcon_mamba", "gpt_neox"

func (c *Config) validate() error {
	switch c.ModelType {
	case "mamba", falconType, memmambaType:
	case "":
		return errors.New("model_type is missing")
	default:
		return fmt.Errorf("model_type %q is not known (mamba, falcon_mamba, memmamba and gpt_neox are)", c.ModelType)
	}
	if c.HiddenAct != "silu" {
		return fmt.Errorf("hidden_act %q is not supported (silu is)", c.HiddenAct)
	}
	err := cmp.Or(c.checkSizes(),
		within("state_size", c.StateSize, 1, maxStateSize),
		within("conv_kernel", c.ConvKernel, 2, maxConvKernel),
		within("time_step_rank", int(c.TimeStepRank), 1, maxWidth),
		checkEpsilon("layer_norm_epsilon", c.LayerNormEpsilon),
		checkEpsilon("mixer_rms_eps", c.MixerRMSEps))
	if err != nil {
		return err
	}
	if c.Memory != nil {
		return c.Memory.validate(c.NumHiddenLayers)
	}
	return nil
}

// checkSizes checks those that models of every type have.
func (c *Config) checkSizes() error {
	return cmp.Or(
		within("vocab_size", c.VocabSize, 1, maxVocabulary),
		within("hidden_size", c.HiddenSize, 1, maxWidth),
		within("intermediate_size", c.IntermediateSize, 1, maxWidth),
		within("num_hidden_layers", c.NumHiddenLayers, 1, maxLayers))
}

func within(name string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("%s %d is not within %d to %d", name, value, low, high)
	}
	return nil
}

func checkEpsilon(name string, eps float64) error {
	if !(eps >= 0) || math.IsInf(eps, 0) {
		return fmt.Errorf("%s %g is not a small positive number", name, eps)
	}
	return nil
}
