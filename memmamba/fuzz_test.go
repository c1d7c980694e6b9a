package memmamba

import (
	"testing"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/bounded"
)

// FuzzConfig reads a config.json, whatever it says: what is taken has sizes that make sense, and what is not is an
// error, never a panic.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		`{"model_type": "mamba", "hidden_size": 64.0, "vocab_size": 256, "num_hidden_layers": 2, "hidden_act": "swish", "time_step_rank": "auto"}`,
		`{"model_type": "mamba2", "hidden_size": 64, "num_heads": 16, "head_dim": 8, "n_groups": 2, "time_step_limit": [0.0, {"__float__": "Infinity"}]}`,
		`{"model_type": "memmamba", "mixer_type": "falcon_mamba", "memory_window": 8, "cross_layer_period": 2, "eos_token_id": [0, 2]}`,
		`{"d_model": 64, "n_layer": 2, "vocab_size": 250, "ssm_cfg": {"layer": "Mamba2", "headdim": 16, "dt_limit": [0.1, Infinity]}, "pad_vocab_size_multiple": 8}`,
		`{"architectures": ["GPTNeoXForCausalLM"], "text_config": {"model_type": "mamba"}, "rope_scaling": null}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded.Run(t, len(data), func() {
			c, err := engine.ParseConfig("config.json", data)
			if err != nil {
				return
			}
			if s := c.Sizes(); s.Vocab < 1 || s.Hidden < 1 || s.Layers < 1 || s.Vocab > maxVocabulary || s.Hidden > maxWidth || s.Layers > maxLayers {
				t.Fatalf("%s: sizes %+v", data, s)
			}
			c.Settings()
		})
	})
}
