package memmamba

import (
	"fmt"
	"maps"
	"strings"

	"github.com/mmrun/mmrun/checkpoint/gguf"
)

// This file is how GGUF files have the models: their keys and tensors beside those of Hugging Face's files.

func init() {
	gguf.Register(gguf.Architecture{Names: []string{"mamba", "mamba2", "memmamba"}, Config: ggufConfig, Naming: ggufName})
}

// ggufMixer is the model_type of what stands in the layers.
func ggufMixer(f *gguf.Metadata) string {
	arch := f.Architecture()
	mixer := arch
	if arch == "memmamba" {
		if mixer = f.Text("memmamba.mixer_type"); mixer == "" {
			mixer = "mamba"
		}
	}
	if norms := f.Bool(arch + ".ssm.dt_b_c_rms"); norms != nil && *norms && mixer == "mamba" {
		return "falcon_mamba"
	}
	return mixer
}

// ggufSizes are keys behind the architecture's name that every model has, and those of config.json.
var ggufSizes = map[string]string{"embedding_length": "hidden_size", "block_count": "num_hidden_layers",
	"ssm.state_size": "state_size", "ssm.conv_kernel": "conv_kernel"}

// ggufConfig makes the config.json of a file.
func ggufConfig(f *gguf.Metadata) map[string]any {
	arch, mixer := f.Architecture(), ggufMixer(f)
	keys := map[string]any{"model_type": mixer, "hidden_act": "silu",
		"use_bias": f.Has("blk.0.ssm_in.bias"), "use_conv_bias": f.Has("blk.0.ssm_conv1d.bias")}
	for from, to := range ggufSizes {
		keys[to] = f.Count(arch + "." + from)
	}
	if eps, ok := f.Decimal(arch + ".attention.layer_norm_rms_epsilon"); ok {
		keys["layer_norm_epsilon"] = eps
	}
	inner, rank := f.Count(arch+".ssm.inner_size"), f.Count(arch+".ssm.time_step_rank")
	if mixer == "mamba2" {
		maps.Copy(keys, ggufHeads(f, inner, rank))
	} else {
		keys["intermediate_size"], keys["time_step_rank"] = inner, rank
		if eps, ok := f.Decimal(arch + ".ssm.dt_b_c_rms_epsilon"); ok {
			keys["mixer_rms_eps"] = eps
		}
	}
	if arch == "memmamba" {
		keys["model_type"], keys["mixer_type"] = arch, mixer
		for from, to := range ggufMemory {
			if v := f.Any("memmamba." + from); v != nil {
				keys[to] = v
			}
		}
	}
	keys["architectures"] = []string{classes[keys["model_type"].(string)]}
	return keys
}

// ggufHeads are the sizes of a Mamba-2 of E inner numbers in H heads.
func ggufHeads(f *gguf.Metadata, E, H int) map[string]any {
	arch := f.Architecture()
	d := f.Count(arch + ".embedding_length")
	switch {
	case f.Err() != nil:
		return nil
	case H < 1 || E%H != 0:
		f.Fail(arch+".ssm.time_step_rank", "%d heads do not divide ssm.inner_size %d", H, E)
		return nil
	case d < 1:
		f.Fail(arch+".embedding_length", "%d is below 1", d)
		return nil
	}
	keys := map[string]any{"num_heads": H, "head_dim": E / H, "n_groups": f.Count(arch + ".ssm.group_count"),
		"expand": float64(E) / float64(d), "rms_norm": f.Has("blk.0.ssm_norm.weight")}
	if n, ok := f.Optional(arch + ".ssm.norm_groups"); ok {
		keys["norm_groups"] = n
	}
	if ends, ok := f.Decimals(arch + ".ssm.time_step_limit"); ok {
		var words []string // JSON has no infinity
		for _, x := range ends {
			words = append(words, fmt.Sprint(x))
		}
		keys["time_step_limit"] = words
	}
	return keys
}

// ggufMemory are the settings of a memory: behind "memmamba." in the metadata, and in config.json.
var ggufMemory = map[string]string{
	"memory.summary_dim": "memory_summary_dim", "memory.pool_size": "memory_pool_size",
	"memory.pool_growth": "memory_pool_growth", "memory.pool_max": "memory_pool_max",
	"memory.window": "memory_window", "memory.replacement": "memory_replacement", "memory.fusion": "memory_fusion",
	"memory.note_threshold": "memory_note_threshold", "memory.state_threshold": "memory_state_threshold",
	"memory.cross_layer_period": "cross_layer_period", "memory.cross_layer_pooling": "cross_layer_pooling",
	"memory.cross_layer_trigger": "cross_layer_trigger", "memory.cross_layer_threshold": "cross_layer_threshold",
}

// ggufEnds are the tensors that are not of a layer.
var ggufEnds = map[string]string{"token_embd.weight": "backbone.embeddings.weight", "output_norm.weight": "backbone.norm_f.weight",
	"output.weight": "lm_head.weight"}

// ggufLayer are those of a layer: blk.N.X is backbone.layers.N.Y.
var ggufLayer = map[string]gguf.Naming{
	"attn_norm.weight":  {Name: "norm.weight"},
	"ssm_in.weight":     {Name: "mixer.in_proj.weight"},
	"ssm_in.bias":       {Name: "mixer.in_proj.bias"},
	"ssm_conv1d.weight": {Name: "mixer.conv1d.weight", Shaping: gguf.Taps},
	"ssm_conv1d.bias":   {Name: "mixer.conv1d.bias"},
	"ssm_x.weight":      {Name: "mixer.x_proj.weight"},
	"ssm_dt.weight":     {Name: "mixer.dt_proj.weight"},
	"ssm_dt.bias":       {Name: "mixer.dt_proj.bias"},
	"ssm_a":             {Name: "mixer.A_log", Shaping: gguf.Logarithm},
	"ssm_d":             {Name: "mixer.D", Shaping: gguf.Flat},
	"ssm_norm.weight":   {Name: "mixer.norm.weight", Shaping: gguf.Flat},
	"ssm_out.weight":    {Name: "mixer.out_proj.weight"},
	"ssm_out.bias":      {Name: "mixer.out_proj.bias"},
}

// ggufOfHeads are those that Mamba-2 has otherwise.
var ggufOfHeads = map[string]gguf.Naming{
	"ssm_dt.bias": {Name: "mixer.dt_bias"},
	"ssm_a":       {Name: "mixer.A_log", Shaping: gguf.FlatLogarithm},
}

// ggufParts are what the names of a memory's tensors begin with, in a layer: in the file, and in Hugging Face's.
var ggufParts = [][2]string{
	{"mem_note_score.", "memory.note_score."},
	{"mem_note.", "memory.note_proj."},
	{"mem_state_score.", "memory.state_score."},
	{"mem_layer_score.", "memory.layer_score."},
	{"mem_token_q.", "memory.token_attn.q_proj."}, {"mem_token_k.", "memory.token_attn.k_proj."},
	{"mem_token_v.", "memory.token_attn.v_proj."}, {"mem_token_o.", "memory.token_attn.o_proj."},
	{"mem_token_gate.", "memory.token_attn.gate."},
	{"mem_layer_q.", "memory.layer_attn.q_proj."}, {"mem_layer_k.", "memory.layer_attn.k_proj."},
	{"mem_layer_v.", "memory.layer_attn.v_proj."}, {"mem_layer_o.", "memory.layer_attn.o_proj."},
	{"mem_layer_gate.", "memory.layer_attn.gate."},
}

// ggufName is what Hugging Face calls a tensor.
func ggufName(f *gguf.Metadata, tensor string) (gguf.Naming, bool) {
	if name, ok := ggufEnds[tensor]; ok {
		return gguf.Naming{Name: name}, true
	}
	layer, x, ok := gguf.Layer(tensor)
	if !ok {
		return gguf.Naming{}, false
	}
	n, ok := ggufLayer[x]
	if ggufMixer(f) == "mamba2" {
		if other, has := ggufOfHeads[x]; has {
			n = other
		}
	}
	for _, part := range ggufParts {
		if end, has := strings.CutPrefix(x, part[0]); has && f.Architecture() == "memmamba" {
			n, ok = gguf.Naming{Name: part[1] + end}, true
		}
	}
	n.Name = "backbone.layers." + layer + "." + n.Name
	return n, ok
}
