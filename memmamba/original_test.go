package memmamba

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/quant"
)

// TestOriginal: configurations of state-spaces' own package, with its defaults.
func TestOriginal(t *testing.T) {
	c := parse(t, `{"d_model": 2560, "n_layer": 3, "vocab_size": 50277, "ssm_cfg": {}, "rms_norm": true, "fused_add_norm": true, "pad_vocab_size_multiple": 8.0}`)
	m, ok := c.Mixer.(*Mamba)
	if !ok || c.VocabSize != 50280 || c.HiddenSize != 2560 || c.NumHiddenLayers != 3 || !c.TieWordEmbeddings || !slices.Equal(c.EOS, tokens{0}) ||
		m.IntermediateSize != 5120 || m.StateSize != 16 || m.TimeStepRank != 160 || m.UseBias || !m.UseConvBias {
		t.Errorf("%+v, %+v", c, c.Mixer)
	}
	c = parse(t, `{"model_type": "mamba", "d_model": 32, "n_layer": 1, "vocab_size": 16, "tie_embeddings": false, "eos_token_id": 7,
		"ssm_cfg": {"layer": "Mamba2", "ngroups": 3, "headdim": 16, "dt_limit": [0.5, Infinity], "rmsnorm": false, "expand": 1.5, "bias": true, "d_ssm": null, "A_init_range": [1, 16]}}`)
	two, ok := c.Mixer.(*Mamba2)
	if !ok || c.TieWordEmbeddings || !slices.Equal(c.EOS, tokens{7}) || two.Heads != 3 || two.StateSize != 128 || two.Groups != 3 ||
		two.RMSNorm || !two.UseBias || two.Limit[0] != 0.5 {
		t.Errorf("%+v, %+v", c, c.Mixer)
	}
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := engine.ParseConfig("c", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*Config)
}

// TestOriginalRefused: what the original package can and this one cannot is refused by name.
func TestOriginalRefused(t *testing.T) {
	const rest = `"d_model": 64, "n_layer": 1, "vocab_size": 16`
	for extra, want := range map[string]string{
		`"rms_norm": false`:                                        "rms_norm false is not supported: the norms would be LayerNorms",
		`"d_intermediate": 128`:                                    "d_intermediate 128 is not supported: layers would have MLPs",
		`"attn_layer_idx": [1, 3]`:                                 "attn_layer_idx [1 3] is not supported: these layers would be of attention",
		`"ssm_cfg": {"layer": "S4"}`:                               `ssm_cfg: layer "S4" is not known (Mamba, Mamba1, Mamba2 are)`,
		`"ssm_cfg": {"layer": "Mamba2", "norm_before_gate": true}`: "ssm_cfg: norm_before_gate true is not supported",
		`"ssm_cfg": {"layer": "Mamba2", "D_has_hdim": true}`:       "ssm_cfg: D_has_hdim true is not supported",
		`"ssm_cfg": {"layer": "Mamba2", "d_ssm": 32}`:              "ssm_cfg: d_ssm 32 is not supported",
		`"ssm_cfg": {"layer": "Mamba2", "headdim": 48}`:            "ssm_cfg: headdim 48 does not divide expand 2 of d_model 64",
		`"ssm_cfg": {"chunky": 1}`:                                 "ssm_cfg: chunky is not known",
		`"ssm_cfg": {"d_state": "x"}`:                              "ssm_cfg: d_state: a string where a whole number is expected",
		`"pad_vocab_size_multiple": 0`:                             "pad_vocab_size_multiple 0 is not within 1 to 16777216",
	} {
		if _, err := engine.ParseConfig("c", []byte("{"+rest+","+extra+"}")); err == nil || err.Error() != "c: "+want {
			t.Errorf("%s:\n got %v\nwant c: %s", extra, err, want)
		}
	}
}

// TestWhichModel: a model_type may stand within text_config, or follow from the class.
func TestWhichModel(t *testing.T) {
	c := parse(t, `{"model_type": "seer", "text_config": {"model_type": "mamba2", "hidden_size": 4096, "Hidden_Size": 1}, "eos_token_id": 5, "hidden_size": 7}`)
	if _, ok := c.Mixer.(*Mamba2); !ok || c.HiddenSize != 4096 || !slices.Equal(c.EOS, tokens{5}) {
		t.Errorf("%+v", c)
	}
	for class, want := range map[string]string{"FalconMambaForCausalLM": "falcon_mamba", "MambaForCausalLM": "mamba"} {
		if c := parse(t, fmt.Sprintf(`{"architectures": [%q], "hidden_act": "swish", "vocab_size": 257.0}`, class)); c.ModelType != want || c.VocabSize != 257 {
			t.Errorf("%s is %+v", class, c)
		}
	}
	for text, want := range map[string]string{
		`{"model_type": "llama"}`: `c: model_type "llama" is not known (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are)`,
		`{"model_type": "llama", "architectures": ["MambaForCausalLM"]}`: `c: model_type "llama" is not known (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are)`,
		`{"model_type": "t5", "d_model": 64, "n_layer": 2}`:              `c: model_type "t5" is not known (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are)`,
		`{"architectures": null}`:                                        "c: model_type is missing (falcon_mamba, gpt_neox, mamba, mamba2, memmamba are known)",
		`[]`:                                                             "c: an array where an object is expected",
	} {
		if _, err := engine.ParseConfig("c", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

// numbered is a tensor of 0, 1, 2, …, each times a factor.
func numbered(name string, factor float32, shape ...int) checkpoint.Tensor {
	t := checkpoint.Tensor{Name: name, Type: "F32", Format: quant.F32, Shape: shape}
	_, cols := t.Grid()
	t.Row = func(i int, _ []byte) ([]byte, error) {
		row, numbers := make([]byte, 4*cols), make([]float32, cols)
		for c := range numbers {
			numbers[c] = factor * float32(i*cols+c)
		}
		return row, quant.F32.Quantize(row, numbers)
	}
	return t
}

// TestFit: tensors get the names and shapes that are asked for.
func TestFit(t *testing.T) {
	c := parse(t, `{"model_type": "mamba", "hidden_size": 4, "vocab_size": 6, "num_hidden_layers": 1}`)
	const conv = "layers.0.mixer.conv1d.weight"
	for _, files := range [][]string{
		{"backbone.embeddings.weight", "backbone." + conv, "lm_head.weight"},
		{"backbone.embedding.weight", "backbone." + conv, "lm_head.weight"},
		{"model.embeddings.weight", "model." + conv, "lm_head.weight"},
		{"model.backbone.embedding.weight", "model.backbone." + conv, "model.lm_head.weight"},
		{"embeddings.weight", conv, "lm_head.weight"},
	} {
		set, err := checkpoint.NewTensors([]checkpoint.Tensor{numbered(files[0], 1, 6, 4), numbered(files[1], 1, 8, 3, 1), numbered(files[2], 1, 6, 4)})
		if err != nil {
			t.Fatal(err)
		}
		fit, err := c.Fit(set)
		if err != nil {
			t.Fatal(err)
		}
		if got := fit.Tensors.Names(); !slices.Equal(got, []string{"backbone.embeddings.weight", "backbone." + conv, "lm_head.weight"}) || fit.Keys != nil || fit.Warnings != nil {
			t.Errorf("%v: %v, %+v", files, got, fit)
		}
		taps, _ := fit.Tensors.Tensor("backbone." + conv)
		numbers, err := taps.Float32s()
		if err != nil || !slices.Equal(taps.Shape, []int{8, 1, 3}) || len(numbers) != 24 || numbers[23] != 23 || numbers[4] != 4 {
			t.Errorf("%v: %v of shape %v, %v", files, numbers, taps.Shape, err)
		}
	}
	set, err := checkpoint.NewTensors([]checkpoint.Tensor{numbered("backbone.embeddings.weight", 1, 6, 4), numbered("lm_head.weight", 2, 6, 4)})
	if err != nil {
		t.Fatal(err)
	}
	fit, err := c.Fit(set)
	if err != nil || fit.Keys["tie_word_embeddings"] != false || len(fit.Warnings) != 1 {
		t.Errorf("%+v, %v", fit, err)
	}
}
