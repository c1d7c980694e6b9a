package refmodel

import (
	"fmt"
	"path/filepath"
)

// GPTNeoX is the model type of Transformers, of which this package writes random ones only: their
// reference is tools/train/neox.py.
const GPTNeoX = "gpt_neox"

// Transformer is what the config.json of a GPT-NeoX model says, by Hugging Face's keys.
type Transformer struct {
	Vocab         int     `json:"vocab_size"`
	Hidden        int     `json:"hidden_size"`       // d
	Inner         int     `json:"intermediate_size"` // 0 is 4·d
	Layers        int     `json:"num_hidden_layers"`
	Heads         int     `json:"num_attention_heads"` // 0 is heads of 64, or one where 64 does not divide d
	Positions     int     `json:"max_position_embeddings"`
	Rotary        float64 `json:"rotary_pct"`
	Parallel      bool    `json:"use_parallel_residual"`
	AttentionBias bool    `json:"attention_bias"`
	Tied          bool    `json:"tie_word_embeddings"`
}

// DefaultTransformer has what Pythia's configs have in common, and of sizes the vocabulary.
func DefaultTransformer() Transformer {
	return Transformer{Vocab: 50304, Positions: 2048, Rotary: 0.25, Parallel: true, AttentionBias: true}
}

// WriteRandomTransformer is WriteRandom of a Transformer.
func WriteRandomTransformer(dir string, c Transformer, r Random) error {
	c, err := c.complete()
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := r.prepare(dir); err != nil {
		return err
	}
	err = writeJSON(filepath.Join(dir, "config.json"), struct {
		Transformer
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
		Activation    string   `json:"hidden_act"`
		BOS           int      `json:"bos_token_id"`
		EOS           int      `json:"eos_token_id"`
		DType         string   `json:"torch_dtype"`
	}{c, GPTNeoX, []string{"GPTNeoXForCausalLM"}, "gelu", 0, 0, torchType[r.DType]})
	if err != nil {
		return err
	}
	return writeTensors(dir, c.tensors(), r)
}

// headSize is that of Pythia's smaller models.
const headSize = 64

func (c Transformer) complete() (Transformer, error) {
	if c.Inner == 0 {
		c.Inner = 4 * c.Hidden
	}
	if c.Heads == 0 {
		c.Heads = 1
		if c.Hidden%headSize == 0 {
			c.Heads = c.Hidden / headSize
		}
	}
	for key, n := range map[string]int{"vocab_size": c.Vocab, "hidden_size": c.Hidden, "intermediate_size": c.Inner,
		"num_hidden_layers": c.Layers, "num_attention_heads": c.Heads, "max_position_embeddings": c.Positions} {
		if n < 1 {
			return c, fmt.Errorf("%s is %d", key, n)
		}
	}
	if c.Hidden%c.Heads != 0 {
		return c, fmt.Errorf("hidden_size %d is no multiple of num_attention_heads %d", c.Hidden, c.Heads)
	}
	return c, nil
}

// tensors lists the tensors of a model.
func (c Transformer) tensors() []randomTensor {
	var out []randomTensor
	d := c.Hidden
	matrix := func(name string, rows, cols int, gain float64, biased bool) {
		out = append(out, randomTensor{name + ".weight", []int{rows, cols}, normal(0, fan(cols, gain))})
		if biased {
			out = append(out, randomTensor{name + ".bias", []int{rows}, normal(0, 0.1)})
		}
	}
	norm := func(name string) {
		out = append(out, randomTensor{name + ".weight", []int{d}, normal(1, 0.1)}, randomTensor{name + ".bias", []int{d}, normal(0, 0.1)})
	}
	matrix("gpt_neox.embed_in", c.Vocab, d, 2, false)
	if !c.Tied {
		matrix("embed_out", c.Vocab, d, 2, false)
	}
	for l := range c.Layers {
		at := fmt.Sprintf("gpt_neox.layers.%d.", l)
		norm(at + "input_layernorm")
		norm(at + "post_attention_layernorm")
		matrix(at+"attention.query_key_value", 3*d, d, 1, c.AttentionBias)
		matrix(at+"attention.dense", d, d, 1, c.AttentionBias)
		matrix(at+"mlp.dense_h_to_4h", c.Inner, d, 1, true)
		matrix(at+"mlp.dense_4h_to_h", d, c.Inner, 1, true)
	}
	norm("gpt_neox.final_layer_norm")
	return out
}
