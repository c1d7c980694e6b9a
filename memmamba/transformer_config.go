package memmamba

import (
	"cmp"
	"fmt"

	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/ops"
)

// Transformer is the settings of a GPT-NeoX model, such as Pythia, with the defaults of Hugging Face's
// GPTNeoXConfig for what is absent.
type Transformer struct {
	Common
	IntermediateSize int     `json:"intermediate_size"`       // E, of the MLP
	Heads            int     `json:"num_attention_heads"`     // each of d / heads numbers
	RotaryShare      float64 `json:"rotary_pct"`              // of a head's numbers that are turned
	RotaryBase       float64 `json:"rotary_emb_base"`         // of the turns' speeds
	MaxPositions     int     `json:"max_position_embeddings"` // tokens of a sequence at the most
	LayerNormEps     float64 `json:"layer_norm_eps"`          // of every LayerNorm
	Parallel         bool    `json:"use_parallel_residual"`   // attention and MLP side by side
	AttentionBias    bool    `json:"attention_bias"`          // of query_key_value and dense

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

// readTransformer reads a config.json.
func readTransformer(data []byte) (*Transformer, error) {
	c := &Transformer{
		Common:           Common{VocabSize: 50432, HiddenSize: 6144, NumHiddenLayers: 44, HiddenAct: "gelu", BOS: tokens{0}, EOS: tokens{2}},
		IntermediateSize: 24576, Heads: 64, RotaryShare: 0.25, RotaryBase: 10000, MaxPositions: 2048, LayerNormEps: 1e-5,
		Parallel: true, AttentionBias: true,
	}
	err := config.Decode(data, c)
	if err == nil {
		err = c.takeRope()
	}
	if err == nil {
		err = c.validate()
	}
	return c, err
}

// takeRope takes base and share from where newer files have them.
func (t *Transformer) takeRope() error {
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

func (t *Transformer) validate() error {
	err := cmp.Or(t.check("gelu"),
		config.Within("intermediate_size", t.IntermediateSize, 1, maxWidth),
		config.Within("num_attention_heads", t.Heads, 1, t.HiddenSize),
		config.Within("max_position_embeddings", t.MaxPositions, 1, maxPositions),
		config.Epsilon("layer_norm_eps", t.LayerNormEps))
	if err != nil {
		return err
	}
	switch head := t.HiddenSize / t.Heads; {
	case head*t.Heads != t.HiddenSize:
		return fmt.Errorf("hidden_size %d is no multiple of num_attention_heads %d", t.HiddenSize, t.Heads)
	case head > ops.MaxHead:
		return fmt.Errorf("hidden_size %d with num_attention_heads %d makes heads of %d, more than %d", t.HiddenSize, t.Heads, head, ops.MaxHead)
	case !(t.RotaryShare >= 0 && t.RotaryShare <= 1):
		return fmt.Errorf("rotary_pct %g is not within 0 to 1", t.RotaryShare)
	case t.rotary()%2 != 0:
		return fmt.Errorf("rotary_pct %g turns %d numbers of a head, which are not pairs", t.RotaryShare, t.rotary())
	case !(t.RotaryBase >= 1 && t.RotaryBase <= 1e12):
		return fmt.Errorf("rotary_emb_base %g is not within 1 to 1e12", t.RotaryBase)
	}
	return nil
}

// heads are those of the attention.
func (t *Transformer) heads() ops.Heads {
	return ops.Heads{Count: t.Heads, Width: t.HiddenSize / t.Heads}
}

// rotary is how many numbers of a head are turned.
func (t *Transformer) rotary() int { return int(float64(t.heads().Width) * t.RotaryShare) }
