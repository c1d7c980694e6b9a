package memmamba

import (
	"reflect"
	"testing"

	"github.com/mmrun/mmrun/engine"
)

// TestConfigDefaults: what is absent, null or "auto" has the defaults of Hugging Face's MambaConfig, and
// for a memory those of the paper.
func TestConfigDefaults(t *testing.T) {
	want := Config{
		Backbone: Backbone{Epsilon: 1e-5, Common: Common{ModelType: "mamba", VocabSize: 50280, HiddenSize: 768, NumHiddenLayers: 32,
			TieWordEmbeddings: true, HiddenAct: "silu", BOS: tokens{0}, EOS: tokens{0}}},
	}
	mixer := Mamba{IntermediateSize: 1536, StateSize: 16, ConvKernel: 4, Expand: 2, TimeStepRank: 48, MixerRMSEps: 1e-6, UseConvBias: true}
	check := func(text string) {
		t.Helper()
		own := mixer
		want.Mixer = &own
		if got, err := engine.ParseConfig("config.json", []byte(text)); err != nil || !reflect.DeepEqual(got, &want) {
			t.Errorf("%s: %+v (%v), want %+v", text, got, err, want)
		}
	}
	check(`{"model_type": "mamba"}`)
	check(`{"model_type": "mamba", "time_step_rank": "auto", "intermediate_size": null, "hidden_size": null, "torch_dtype": "float32"}`)
	want.ModelType, mixer.norms = "falcon_mamba", true
	check(`{"model_type": "falcon_mamba"}`)
	want.ModelType, want.HiddenSize, want.EOS = "memmamba", 100, nil
	mixer.IntermediateSize, mixer.TimeStepRank, mixer.Expand, mixer.norms = 150, 7, 1.5, false
	want.Memory = &MemoryConfig{SummaryDim: 64, PoolSize: 50, PoolMax: 50, NoteThreshold: 0.5, StateThreshold: 0.5, Period: 4, Window: 64,
		Replacement: "fifo", Pooling: "concat", Trigger: "period", LayerThreshold: 0.5, Fusion: "residual", MixerType: "mamba"}
	check(`{"model_type": "memmamba", "hidden_size": 100, "expand": 1.5, "eos_token_id": null}`)
	want.Memory.MixerType, mixer.norms = "falcon_mamba", true
	check(`{"model_type": "memmamba", "mixer_type": "falcon_mamba", "hidden_size": 100, "expand": 1.5, "eos_token_id": null}`)
}

// TestConfigRefuses: an error names the file, the key and what it holds.
func TestConfigRefuses(t *testing.T) {
	const mamba, memory = `{"model_type": "mamba", `, `{"model_type": "memmamba", `
	for text, says := range map[string]string{
		``:                       "broken JSON at byte 0: unexpected end of JSON input",
		`null`:                   "model_type is missing (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are known)",
		`{"hidden_size": 64.5}`:  "model_type is missing (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are known)",
		`[]`:                     "an array where an object is expected",
		`{"model_type": 3}`:      "model_type: a number where a string is expected",
		`{"model_type": "rwkv"}`: `model_type "rwkv" is not known (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are)`,
		`{"model_type": "mamba", "hidden_size": NaN}`: "hidden_size: NaN where a whole number is expected",
		mamba + `"hidden_size": 64.5}`:                "hidden_size: 64.5 is not a whole number of 64 bits",
		mamba + `"hidden_size": [64]}`:                "hidden_size: an array where a whole number is expected",
		mamba + `"use_bias": 1}`:                      "use_bias: a number where true or false is expected",
		mamba + `"expand": true}`:                     "expand: true or false where a number is expected",
		mamba + `"expand": 1e999}`:                    "expand: 1e999 is not a number of 64 bits",
		mamba + `"eos_token_id": "</s>"}`:             "eos_token_id: a string where a whole number is expected",
		mamba + `"eos_token_id": [0, 2000000000000]}`: "eos_token_id: 2000000000000 is not a whole number of 32 bits",
		mamba + `"time_step_rank": "many"}`:           "time_step_rank: a string where a whole number is expected",
		mamba + `"time_step_rank": 0}`:                "time_step_rank 0 is not within 1 to 131072",
		mamba + `"intermediate_size": 0}`:             "intermediate_size 0 is not within 1 to 131072",
		mamba + `"expand": -3}`:                       "expand -3 of hidden_size 768 is not within 1 to 131072",
		mamba + `"expand": 1e300}`:                    "expand 1e+300 of hidden_size 768 is not within 1 to 131072",
		mamba + `"layer_norm_epsilon": -1}`:           "layer_norm_epsilon -1 is not a small positive number",
		memory + `"mixer_type": "hyena"}`:             `mixer_type "hyena" is not known (falcon_mamba, mamba, mamba2 are)`,
		memory + `"memory_pool_growth": -1}`:          "memory_pool_growth -1 is not within 0 to 256",
		memory + `"memory_pool_max": 49}`:             "memory_pool_max 49 is not within 50 to 256",
		memory + `"memory_pool_max": 257}`:            "memory_pool_max 257 is not within 50 to 256",
		memory + `"cross_layer_trigger": "often"}`:    `cross_layer_trigger "often" is not one of [period state]`,
		memory + `"cross_layer_threshold": "high"}`:   "cross_layer_threshold: a string where a number is expected",
		memory + `"memory_pool_grow": 1}`:             "memory_pool_grow is not known",
		memory + `"cross_layer_periods": null}`:       "cross_layer_periods is not known",
		memory + `"memory_window": 0}`:                "memory_window 0 is not within 1 to 1024",
		memory + `"memory_fusion": "sum"}`:            `memory_fusion "sum" is not one of [residual gated]`,
		memory + `"cross_layer_period": 33}`:          "cross_layer_period 33 is not within 1 to 32",
	} {
		if _, err := engine.ParseConfig("config.json", []byte(text)); err == nil || err.Error() != "config.json: "+says {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}
}
