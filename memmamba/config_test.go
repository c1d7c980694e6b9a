package memmamba

import (
	"reflect"
	"testing"
)

// TestConfigDefaults: what is absent, null or "auto" has the defaults of Hugging Face's MambaConfig, and
// for a memory those of the paper.
func TestConfigDefaults(t *testing.T) {
	want := Config{
		ModelType: "mamba", VocabSize: 50280, HiddenSize: 768, IntermediateSize: 1536, NumHiddenLayers: 32, StateSize: 16,
		ConvKernel: 4, Expand: 2, TimeStepRank: 48, LayerNormEpsilon: 1e-5, MixerRMSEps: 1e-6, UseConvBias: true,
		TieWordEmbeddings: true, HiddenAct: "silu", BOS: tokens{0}, EOS: tokens{0},
	}
	for _, text := range []string{
		`{"model_type": "mamba"}`,
		`{"model_type": "mamba", "time_step_rank": "auto", "intermediate_size": null, "hidden_size": null, "torch_dtype": "float32"}`,
	} {
		if got, err := ParseConfig("config.json", []byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v (%v), want %+v", text, got, err, want)
		}
	}
	want.ModelType, want.HiddenSize, want.IntermediateSize, want.TimeStepRank, want.Expand, want.EOS = "memmamba", 100, 150, 7, 1.5, nil
	want.Memory = &MemoryConfig{SummaryDim: 64, PoolSize: 50, NoteThreshold: 0.5, StateThreshold: 0.5, Period: 4, Window: 64,
		Replacement: "fifo", Pooling: "concat", Fusion: "residual"}
	got, err := ParseConfig("config.json", []byte(`{"model_type": "memmamba", "hidden_size": 100, "expand": 1.5, "eos_token_id": null}`))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %+v (%v), want %+v, %+v", got, got.Memory, err, want, want.Memory)
	}
}

// TestConfigRefuses: an error names the file, the key and what it holds.
func TestConfigRefuses(t *testing.T) {
	for text, says := range map[string]string{
		``:                                     "broken JSON at byte 0: unexpected end of JSON input",
		`null`:                                 "model_type is missing",
		`[]`:                                   "an array where an object is expected",
		`{"model_type": 3}`:                    "model_type: a number where a string is expected",
		`{"hidden_size": 64.5}`:                "hidden_size: 64.5 is not a whole number of 64 bits",
		`{"hidden_size": [64]}`:                "hidden_size: an array where a whole number is expected",
		`{"use_bias": 1}`:                      "use_bias: a number where true or false is expected",
		`{"expand": true}`:                     "expand: true or false where a number is expected",
		`{"expand": 1e999}`:                    "expand: 1e999 is not a number of 64 bits",
		`{"hidden_size": NaN}`:                 "broken JSON at byte 17: invalid character 'N' looking for beginning of value",
		`{"eos_token_id": "</s>"}`:             "eos_token_id: a string where a whole number is expected",
		`{"eos_token_id": [0, 2000000000000]}`: "eos_token_id: 2000000000000 is not a whole number of 32 bits",
		`{"model_type": "mamba", "time_step_rank": "many"}`: "time_step_rank: a string where a whole number is expected",
		`{"model_type": "mamba", "time_step_rank": 0}`:      "time_step_rank 0 is not within 1 to 131072",
		`{"model_type": "mamba", "intermediate_size": 0}`:   "intermediate_size 0 is not within 1 to 131072",
		`{"model_type": "mamba", "expand": -3}`:             "expand -3 of hidden_size 768 is not within 1 to 131072",
		`{"model_type": "mamba", "expand": 1e300}`:          "expand 1e+300 of hidden_size 768 is not within 1 to 131072",
		`{"model_type": "mamba", "layer_norm_epsilon": -1}`: "layer_norm_epsilon -1 is not a small positive number",
	} {
		if _, err := ParseConfig("config.json", []byte(text)); err == nil || err.Error() != "config.json: "+says {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}
}
