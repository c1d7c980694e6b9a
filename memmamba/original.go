package memmamba

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/config"
)

func init() { engine.RegisterForm(fromOriginal) }

// original is a config.json of state-spaces' own package, mamba_ssm, with its defaults for what is absent.
type original struct {
	Width         int             `json:"d_model"`
	MLP           int             `json:"d_intermediate"`
	Layers        int             `json:"n_layer"`
	Vocab         int             `json:"vocab_size"`
	SSM           json.RawMessage `json:"ssm_cfg"`
	Attention     []int           `json:"attn_layer_idx"`
	RMSNorm       bool            `json:"rms_norm"`
	VocabMultiple int             `json:"pad_vocab_size_multiple"`
	Tied          bool            `json:"tie_embeddings"`
}

// ssmConfig is what ssm_cfg may say that changes what is computed; keys of the initialization and of kernels are known
// and passed over.
type ssmConfig struct {
	Layer    string          `json:"layer"`
	State    int             `json:"d_state"`
	Conv     int             `json:"d_conv"`
	Expand   float64         `json:"expand"`
	Rank     json.RawMessage `json:"dt_rank"`
	ConvBias bool            `json:"conv_bias"`
	Bias     bool            `json:"bias"`

	HeadDim        int             `json:"headdim"` // of Mamba-2, as all that follows
	Groups         int             `json:"ngroups"`
	Inner          *int            `json:"d_ssm"`
	WideD          bool            `json:"D_has_hdim"`
	RMSNorm        bool            `json:"rmsnorm"`
	NormBeforeGate bool            `json:"norm_before_gate"`
	Limit          json.RawMessage `json:"dt_limit"`
	Chunk          int             `json:"chunk_size"`
}

// of the initialization, and of kernels
var passedOver = []string{"dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor", "use_fast_path", "layer_idx", "device", "dtype",
	"conv_init", "A_init_range", "use_mem_eff_path", "process_group", "sequence_parallel"}

// fromOriginal is Hugging Face's config.json of one of mamba_ssm, nil when it is none.
func fromOriginal(data []byte) ([]byte, error) {
	keys, err := config.Keys(data)
	if err != nil || !isOriginal(keys) {
		return nil, nil // what is wrong with it others tell
	}
	o := original{Width: 2560, Layers: 64, Vocab: 50277, RMSNorm: true, VocabMultiple: 8, Tied: true}
	s := ssmConfig{Layer: "Mamba1", State: absent, Conv: 4, Expand: 2, ConvBias: true, HeadDim: 64, Groups: 1, RMSNorm: true, Chunk: 256}
	if err := config.Decode(data, &o); err != nil {
		return nil, err
	}
	if o.SSM != nil {
		if err := config.Decode(o.SSM, &s); err != nil {
			return nil, fmt.Errorf("ssm_cfg: %w", err)
		}
	}
	if err := cmp.Or(o.check(), s.check(o.SSM), s.sizes(o.Width)); err != nil {
		return nil, err
	}
	made := s.keys(o.Width)
	maps.Copy(made, map[string]any{
		"hidden_size": o.Width, "num_hidden_layers": o.Layers, "tie_word_embeddings": o.Tied, "layer_norm_epsilon": 1e-5,
		"vocab_size": (o.Vocab + o.VocabMultiple - 1) / o.VocabMultiple * o.VocabMultiple,
	})
	for _, key := range []string{"bos_token_id", "eos_token_id"} {
		if keys[key] == nil {
			made[key] = 0 // of GPT-NeoX's tokenizer, which these models were trained with
		}
	}
	for _, key := range []string{"d_model", "d_intermediate", "n_layer", "ssm_cfg", "attn_layer_idx", "attn_cfg", "rms_norm", "pad_vocab_size_multiple",
		"tie_embeddings", "fused_add_norm"} {
		delete(keys, key)
	}
	for key, value := range made {
		if keys[key], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return config.Write(keys)
}

// isOriginal tells mamba_ssm's files by their keys.
func isOriginal(keys map[string]json.RawMessage) bool {
	has := func(key string) bool { return keys[key] != nil }
	var kind string
	if has("model_type") && (json.Unmarshal(keys["model_type"], &kind) != nil || kind != "mamba" && kind != "mamba2") {
		return false
	}
	return !has("hidden_size") && !has("num_hidden_layers") && has("d_model") && (has("n_layer") || has("ssm_cfg"))
}

// check refuses what is not computed here.
func (o *original) check() error {
	switch {
	case !o.RMSNorm:
		return fmt.Errorf("rms_norm false is not supported: the norms would be LayerNorms")
	case o.MLP > 0:
		return fmt.Errorf("d_intermediate %d is not supported: layers would have MLPs", o.MLP)
	case len(o.Attention) > 0:
		return fmt.Errorf("attn_layer_idx %v is not supported: these layers would be of attention", o.Attention)
	}
	return cmp.Or(
		config.Within("d_model", o.Width, 1, maxWidth),
		config.Within("vocab_size", o.Vocab, 1, maxVocabulary),
		config.Within("pad_vocab_size_multiple", o.VocabMultiple, 1, maxVocabulary))
}

// layerKinds are the kinds of layers that ssm_cfg names.
var layerKinds = map[string]string{"Mamba1": "mamba", "Mamba": "mamba", "Mamba2": "mamba2"}

func (s *ssmConfig) two() bool { return layerKinds[s.Layer] == "mamba2" }

// check refuses what is not computed here, and keys that nobody knows.
func (s *ssmConfig) check(data []byte) error {
	switch {
	case layerKinds[s.Layer] == "":
		return fmt.Errorf("ssm_cfg: layer %q is not known (%s are)", s.Layer, strings.Join(slices.Sorted(maps.Keys(layerKinds)), ", "))
	case s.two() && s.NormBeforeGate:
		return fmt.Errorf("ssm_cfg: norm_before_gate true is not supported")
	case s.two() && s.WideD:
		return fmt.Errorf("ssm_cfg: D_has_hdim true is not supported")
	case s.two() && s.Inner != nil:
		return fmt.Errorf("ssm_cfg: d_ssm %d is not supported", *s.Inner)
	}
	var keys map[string]json.RawMessage
	if data != nil {
		if err := config.Decode(data, &keys); err != nil {
			return fmt.Errorf("ssm_cfg: %w", err)
		}
	}
	known := slices.Concat(passedOver, jsonKeys(*s))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("ssm_cfg: %s is not known", key)
		}
	}
	return nil
}

// sizes checks those that others are made from.
func (s *ssmConfig) sizes(width int) error {
	if s.State == absent {
		s.State = 16
		if s.two() {
			s.State = 128
		}
	}
	inner := s.Expand * float64(width)
	switch {
	case !(inner >= 1 && inner <= maxWidth):
		return fmt.Errorf("ssm_cfg: expand %g of d_model %d is not within 1 to %d", s.Expand, width, maxWidth)
	case !s.two():
		return nil
	case inner != math.Trunc(inner) || s.HeadDim < 1 || int(inner)%s.HeadDim != 0:
		return fmt.Errorf("ssm_cfg: headdim %d does not divide expand %g of d_model %d", s.HeadDim, s.Expand, width)
	}
	return nil
}

// keys are Hugging Face's.
func (s *ssmConfig) keys(width int) map[string]any {
	made := map[string]any{
		"model_type": layerKinds[s.Layer], "state_size": s.State, "conv_kernel": s.Conv, "expand": s.Expand, "use_bias": s.Bias, "use_conv_bias": s.ConvBias,
	}
	inner := int(s.Expand * float64(width))
	if !s.two() {
		made["intermediate_size"] = inner
		made["time_step_rank"] = "auto"
		if s.Rank != nil {
			made["time_step_rank"] = s.Rank
		}
		return made
	}
	maps.Copy(made, map[string]any{"num_heads": inner / s.HeadDim, "head_dim": s.HeadDim, "n_groups": s.Groups, "rms_norm": s.RMSNorm, "chunk_size": s.Chunk})
	if s.Limit != nil {
		made["time_step_limit"] = s.Limit
	}
	return made
}
