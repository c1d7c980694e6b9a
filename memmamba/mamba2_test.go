package memmamba

import (
	"math"
	"testing"

	"github.com/mmrun/mmrun/engine"
)

// TestMamba2Defaults: what is absent has the defaults of Hugging Face's Mamba2Config, which are not Mamba's; infinity may
// be written in Python's ways.
func TestMamba2Defaults(t *testing.T) {
	for _, text := range []string{
		`{"model_type": "mamba2"}`,
		`{"model_type": "mamba2", "time_step_limit": [0.0, Infinity], "time_step_min": 0.1}`,
		`{"model_type": "mamba2", "time_step_limit": [0.0, {"__float__": "Infinity"}], "tie_embedding_weights": false}`,
	} {
		c, err := engine.ParseConfig("config.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		m := c.(*Config).Mixer.(*Mamba2)
		s := c.Sizes()
		if s.Vocab != 32768 || s.Hidden != 4096 || s.Layers != 64 || s.EOS[0] != 2 || c.(*Config).TieWordEmbeddings || m.Heads != 128 || m.HeadDim != 64 ||
			m.Groups != 8 || m.NormGroups != 8 || m.StateSize != 128 || m.ConvKernel != 4 || !m.RMSNorm || m.Limit != (limit{0, math.Inf(1)}) {
			t.Errorf("%s: %+v %+v", text, s, m)
		}
	}
}

// TestMamba2Refuses: an error names the keys and what they hold.
func TestMamba2Refuses(t *testing.T) {
	for text, says := range map[string]string{
		`"num_heads": 100`:                               "num_heads 100 of head_dim 64 are not expand 2 of hidden_size 4096",
		`"n_groups": 3`:                                  "n_groups 3 does not divide num_heads 128",
		`"norm_groups": 7`:                               "norm_groups 7 does not divide num_heads 128 of head_dim 64",
		`"state_size": 257`:                              "state_size 257 is not within 1 to 256",
		`"conv_kernel": 0`:                               "conv_kernel 0 is not within 1 to 16",
		`"time_step_limit": [0.1]`:                       "time_step_limit: 1 numbers, two are expected",
		`"time_step_limit": [0.1, 0.01]`:                 "time_step_limit 0.1 to 0.01 is no range of time steps",
		`"time_step_limit": [0.1, {"__float__": "abc"}]`: `time_step_limit: {"__float__": "abc"} is no number`,
	} {
		_, err := engine.ParseConfig("config.json", []byte(`{"model_type": "mamba2", `+text+`}`))
		if err == nil || err.Error() != "config.json: "+says {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}
}
