package memmamba

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/ops"
)

// transformerLayer holds the parameters of one GPT-NeoX block. In QKV every head has its rows of q, k
// and v, each padded.
type transformerLayer struct {
	AttentionNorm, MLPNorm ops.Norm
	QKV, QKVBias           ops.Weight // (heads·3·D, d)
	Dense, DenseBias       ops.Weight // (d, d)
	Up, UpBias             ops.Weight // (E, d)
	Down, DownBias         ops.Weight // (d, E)
}

func (w *weights) loadTransformer(l *loader, c Config) {
	const model = "gpt_neox."
	w.Embeddings = l.weight(model+"embed_in.weight", []int{c.VocabSize}, c.HiddenSize)
	w.NormF = l.layerNorm(model+"final_layer_norm", c)
	w.Head = w.Embeddings
	if !c.TieWordEmbeddings {
		w.Head = l.weight("embed_out.weight", []int{c.VocabSize}, c.HiddenSize)
	}
	for n := range c.NumHiddenLayers {
		w.Blocks = append(w.Blocks, l.transformerLayer(fmt.Sprintf("%slayers.%d.", model, n), c))
	}
	numbers, rows, cols := ops.Turns(c.rotary(), c.Transformer.RotaryBase, c.Transformer.MaxPositions)
	w.Turns = l.upload32(numbers, rows, cols)
}

func (l *loader) layerNorm(name string, c Config) ops.Norm {
	return ops.Norm{Weight: l.vector(name+".weight", c.HiddenSize), Bias: l.vector(name+".bias", c.HiddenSize),
		Width: c.HiddenSize, Eps: c.Transformer.LayerNormEps}
}

func (l *loader) transformerLayer(prefix string, c Config) transformerLayer {
	d, E, h := c.HiddenSize, c.IntermediateSize, c.heads()
	qkv := slices.Repeat([]int{h.Width}, 3*h.Count)
	b := transformerLayer{
		AttentionNorm: l.layerNorm(prefix+"input_layernorm", c),
		MLPNorm:       l.layerNorm(prefix+"post_attention_layernorm", c),
		QKV:           l.weight(prefix+"attention.query_key_value.weight", qkv, d),
		Dense:         l.weight(prefix+"attention.dense.weight", []int{d}, d),
		Up:            l.weight(prefix+"mlp.dense_h_to_4h.weight", []int{E}, d),
		UpBias:        l.vector(prefix+"mlp.dense_h_to_4h.bias", E),
		Down:          l.weight(prefix+"mlp.dense_4h_to_h.weight", []int{d}, E),
		DownBias:      l.vector(prefix+"mlp.dense_4h_to_h.bias", d),
	}
	if c.Transformer.AttentionBias {
		b.QKVBias = l.sections(prefix+"attention.query_key_value.bias", qkv)
		b.DenseBias = l.vector(prefix+"attention.dense.bias", d)
	}
	return b
}

// IsBuffer says whether a tensor of a checkpoint is no weight but what follows from its config: masks
// and speeds of turns, which older GPT-NeoX checkpoints keep.
func IsBuffer(name string) bool {
	for _, suffix := range []string{".attention.bias", ".attention.masked_bias", ".attention.rotary_emb.inv_freq"} {
		if strings.HasPrefix(name, "gpt_neox.layers.") && strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
