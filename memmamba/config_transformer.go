package memmamba

import (
	"cmp"
	"fmt"

	"github.com/mmrun/mmrun/ops"
)

// TransformerConfig is what the config.json of a GPT-NeoX model, such as Pythia, says of its attention,
// with the defaults of Hugging Face's GPTNeoXConfig for what is absent.
type TransformerConfig struct {
	Heads         int     `json:"num_attention_heads"`     // each of d / heads numbers
	RotaryShare   float64 `json:"rotary_pct"`              // of a head's numbers that are turned
	RotaryBase    float64 `json:"rotary_emb_base"`         // of the turns' speeds
	MaxPositions  int     `json:"max_position_embeddings"` // tokens of a sequence at the most
	LayerNormEps  float64 `json:"layer_norm_eps"`          // of every LayerNorm
	Parallel      bool    `json:"use_parallel_residual"`   // attention and MLP side by side
	AttentionBias bool    `json:"attention_bias"`          // of query_key_value and dense

	Scaling *rope `json:"rope_scaling,omitempty"`
	Rope    *rope `json:"rope_parameters,omitempty"` // where newer files have base and share
}

// rope says of a rotary embedding what it is like.
type rope struct {
	Type    string   `json:"rope_type"`
	OldType string   `json:"type,omitempty"`
	Base    *float64 `json:"rope_theta"`
	Share   *float64 `json:"partial_rotary_factor"`
}

// The limits of a Transformer.
const maxPositions = 1 << 24

// parseTransformer is ParseConfig of a GPT-NeoX model.
func parseTransformer(name string, data []byte) (Config, error) {
	c := Config{
		VocabSize: 50432, HiddenSize: 6144, NumHiddenLayers: 44, IntermediateSize: 24576, HiddenAct: "gelu",
		BOS: tokens{0}, EOS: tokens{2},
		Transformer: &TransformerConfig{
			Heads: 64, RotaryShare: 0.25, RotaryBase: 10000, MaxPositions: 2048, LayerNormEps: 1e-5, Parallel: true, AttentionBias: true,
		},
	}
	t := c.Transformer
	err := cmp.Or(decode(data, &c), decode(data, t))
	if err == nil {
		err = t.takeRope()
	}
	if err == nil {
		err = c.validateTransformer()
	}
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// takeRope takes base and share from where newer files have them.
func (t *TransformerConfig) takeRope() error {
	for name, r := range map[string]*rope{"rope_scaling": t.Scaling, "rope_parameters": t.Rope} {
		if r == nil {
			continue
		}
		if kind := cmp.Or(r.Type, r.OldType, "default"); kind != "default" {
			return fmt.Errorf("%s: rope_type %q is not supported (default is)", name, kind)
		}
		if r.Base != nil {
			t.RotaryBase = *r.Base
		}
		if r.Share != nil {
			t.RotaryShare = *r.Share
		}
	}
	return nil
}

func (c *Config) validateTransformer() error {
	t := c.Transformer
	if c.HiddenAct != "gelu" {
		return fmt.Errorf("hidden_act %q is not supported (gelu is)", c.HiddenAct)
	}
	err := cmp.Or(c.checkSizes(),
		within("num_attention_heads", t.Heads, 1, c.HiddenSize),
		within("max_position_embeddings", t.MaxPositions, 1, maxPositions),
		checkEpsilon("layer_norm_eps", t.LayerNormEps))
	if err != nil {
		return err
	}
	switch head := c.HiddenSize / t.Heads; {
	case head*t.Heads != c.HiddenSize:
		return fmt.Errorf("hidden_size %d is no multiple of num_attention_heads %d", c.HiddenSize, t.Heads)
	case head > ops.MaxHead:
		return fmt.Errorf("hidden_size %d with num_attention_heads %d makes heads of %d, more than %d", c.HiddenSize, t.Heads, head, ops.MaxHead)
	case !(t.RotaryShare >= 0 && t.RotaryShare <= 1):
		return fmt.Errorf("rotary_pct %g is not within 0 to 1", t.RotaryShare)
	case c.rotary()%2 != 0:
		return fmt.Errorf("rotary_pct %g turns %d numbers of a head, which are not pairs", t.RotaryShare, c.rotary())
	case !(t.RotaryBase >= 1 && t.RotaryBase <= 1e12):
		return fmt.Errorf("rotary_emb_base %g is not within 1 to 1e12", t.RotaryBase)
	}
	return nil
}

// heads are those of a Transformer's attention.
func (c Config) heads() ops.Heads {
	return ops.Heads{Count: c.Transformer.Heads, Width: c.HiddenSize / c.Transformer.Heads}
}

// rotary is how many numbers of a head are turned.
func (c Config) rotary() int { return int(float64(c.heads().Width) * c.Transformer.RotaryShare) }

// maxTokens bounds a sequence.
func (c Config) maxTokens() int64 {
	if c.Transformer == nil {
		return maxPosition
	}
	return int64(c.Transformer.MaxPositions)
}
