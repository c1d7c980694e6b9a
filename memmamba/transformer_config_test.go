package memmamba

import (
	"strings"
	"testing"

	"github.com/mmrun/mmrun/engine"
)

// TestTransformerConfig: defaults are Hugging Face's, newer keys are taken, and what cannot be is named.
func TestTransformerConfig(t *testing.T) {
	parse := func(keys string) *Transformer {
		c, err := engine.ParseConfig("c", []byte(`{"model_type": "gpt_neox"`+keys+`}`))
		if err != nil {
			t.Fatal(err)
		}
		return c.(*Transformer)
	}
	c := parse("")
	if c.HiddenSize != 6144 || c.NumHiddenLayers != 44 || c.VocabSize != 50432 || c.IntermediateSize != 24576 || c.TieWordEmbeddings ||
		c.EOS[0] != 2 || c.heads().Count != 64 || c.rotary() != 24 || !c.Parallel || !c.AttentionBias || c.Sizes().MaxTokens != 2048 {
		t.Errorf("%+v", c)
	}
	c = parse(`, "rope_scaling": null, "rope_parameters": {"rope_type": "default", "rope_theta": 500, "partial_rotary_factor": 0.5}`)
	if c.rotary() != 48 || c.RotaryBase != 500 {
		t.Errorf("%+v", c)
	}
	for keys, says := range map[string]string{
		`"hidden_act": "gelu_new"`:                                  `hidden_act "gelu_new" is not supported (gelu is)`,
		`"num_attention_heads": 7`:                                  "hidden_size 6144 is no multiple of num_attention_heads 7",
		`"num_attention_heads": 0`:                                  "num_attention_heads 0 is not within 1 to 6144",
		`"num_attention_heads": 8`:                                  "makes heads of 768, more than 256",
		`"rotary_pct": 1.5`:                                         "rotary_pct 1.5 is not within 0 to 1",
		`"rotary_pct": 0.97`:                                        "turns 93 numbers of a head, which are not pairs",
		`"rotary_emb_base": 0`:                                      "rotary_emb_base 0 is not within 1 to 1e12",
		`"max_position_embeddings": 0`:                              "max_position_embeddings 0 is not within 1 to",
		`"layer_norm_eps": -1`:                                      "layer_norm_eps -1 is not a small positive number",
		`"rope_scaling": {"type": "linear", "factor": 2}`:           `rope_scaling: rope_type "linear" is not supported`,
		`"rope_parameters": {"rope_type": "yarn"}`:                  `rope_parameters: rope_type "yarn" is not supported`,
		`"rotary_pct": "all"`:                                       "rotary_pct: a string where a number is expected",
		`"use_parallel_residual": 1`:                                "use_parallel_residual: a number where true or false is expected",
		`"intermediate_size": 0, "max_position_embeddings": 100000`: "intermediate_size 0 is not within",
	} {
		_, err := engine.ParseConfig("c", []byte(`{"model_type": "gpt_neox", `+keys+`}`))
		if err == nil || !strings.HasPrefix(err.Error(), "c: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", keys, err, says)
		}
	}
}
