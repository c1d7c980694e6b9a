package memmamba

import (
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

func init() {
	engine.Register(engine.Architecture{ModelTypes: []string{"gpt_neox"}, Classes: []string{"GPTNeoXForCausalLM"}, Configure: func(data []byte) (engine.Config, error) {
		return readTransformer(data)
	}})
}

// The growing parts of a layer: keys and values of every token, (tokens, heads·D).
const (
	keysPart   = "keys"
	valuesPart = "values"
)

// CutTokens implements engine.Cuttable.
func (c *Transformer) CutTokens() int { return 1 }

// Sizes implements engine.Config.
func (c *Transformer) Sizes() engine.Sizes {
	s := c.Common.sizes()
	s.MaxTokens = int64(c.MaxPositions)
	return s
}

// Settings implements engine.Config.
func (c *Transformer) Settings() any { return c }

// Parts implements engine.Config.
func (c *Transformer) Parts() (parts []engine.Part) {
	h := c.heads()
	for l := range c.NumHiddenLayers {
		for _, name := range []string{keysPart, valuesPart} {
			parts = append(parts, engine.Part{Layer: l, Name: name, Rows: 1, Cols: h.Count * h.D(), Grows: true})
		}
	}
	return parts
}

// passBytes bounds each of the tables that a pass needs.
const passBytes = 64 << 20

// PassTokens implements engine.Bounded: the splits of the keys leave a table of parts.
func (c *Transformer) PassTokens(chunk int) int {
	h := c.heads()
	splits, _ := ops.CausalSplits(chunk, c.MaxPositions)
	return max(1, min(chunk, passBytes/(4*splits*h.Count*(h.D()+4))))
}

// TokensAt implements engine.Bounded: the further on, the more keys a token sees, and drivers give a device up
// for lost that one submission holds for seconds.
func (c *Transformer) TokensAt(position int64) int {
	const most, least = 1 << 40, 16 // operations; tokens
	each := 4 * int64(c.HiddenSize) * int64(c.NumHiddenLayers) * (position + 1)
	return int(max(least, min(engine.MaxChunk, most/each)))
}

// transformerWeights are a Transformer's.
type transformerWeights struct {
	*Transformer
	ends  engine.Ends
	turns ops.Weight // of its rotary embedding
	layer []transformerLayer
}

// transformerLayer holds the parameters of one GPT-NeoX block. In QKV every head has its rows of q, k
// and v, each padded.
type transformerLayer struct {
	AttentionNorm, MLPNorm ops.Norm
	QKV, QKVBias           ops.Weight // (heads·3·D, d)
	Dense, DenseBias       ops.Weight // (d, d)
	Up, UpBias             ops.Weight // (E, d)
	Down, DownBias         ops.Weight // (d, E)
}

// Load implements engine.Config.
func (c *Transformer) Load(l *engine.Loader) engine.Network {
	const model = "gpt_neox."
	w := &transformerWeights{Transformer: c}
	w.ends.Embeddings = l.Matrix(model+"embed_in.weight", []int{c.VocabSize}, c.HiddenSize)
	w.ends.Norm = c.layerNorm(l, model+"final_layer_norm")
	w.ends.Head = w.ends.Embeddings
	if !c.TieWordEmbeddings {
		w.ends.Head = l.Matrix("embed_out.weight", []int{c.VocabSize}, c.HiddenSize)
	}
	for n := range c.NumHiddenLayers {
		w.layer = append(w.layer, c.loadLayer(l, fmt.Sprintf("%slayers.%d.", model, n)))
	}
	numbers, rows, cols := ops.Turns(c.rotary(), c.RotaryBase, c.MaxPositions)
	w.turns = l.Put(numbers, rows, cols)
	return w
}

func (c *Transformer) layerNorm(l *engine.Loader, name string) ops.Norm {
	return ops.Norm{Weight: l.Vector(name+".weight", c.HiddenSize), Bias: l.Vector(name+".bias", c.HiddenSize),
		Width: c.HiddenSize, Eps: c.LayerNormEps}
}

func (c *Transformer) loadLayer(l *engine.Loader, prefix string) transformerLayer {
	d, E, h := c.HiddenSize, c.IntermediateSize, c.heads()
	qkv := slices.Repeat([]int{h.Width}, 3*h.Count)
	b := transformerLayer{
		AttentionNorm: c.layerNorm(l, prefix+"input_layernorm"),
		MLPNorm:       c.layerNorm(l, prefix+"post_attention_layernorm"),
		QKV:           l.Matrix(prefix+"attention.query_key_value.weight", qkv, d),
		Dense:         l.Matrix(prefix+"attention.dense.weight", []int{d}, d),
		Up:            l.Matrix(prefix+"mlp.dense_h_to_4h.weight", []int{E}, d),
		UpBias:        l.Vector(prefix+"mlp.dense_h_to_4h.bias", E),
		Down:          l.Matrix(prefix+"mlp.dense_4h_to_h.weight", []int{d}, E),
		DownBias:      l.Vector(prefix+"mlp.dense_4h_to_h.bias", d),
	}
	if c.AttentionBias {
		b.QKVBias = l.Sections(prefix+"attention.query_key_value.bias", qkv)
		b.DenseBias = l.Vector(prefix+"attention.dense.bias", d)
	}
	return b
}

// Ends implements engine.Network.
func (w *transformerWeights) Ends() engine.Ends { return w.ends }

// Block takes the residual stream r (T, d) through layer l of a GPT-NeoX model (arXiv 2204.06745, section 2.1):
// attention and MLP side by side, r = r + attention(LN1(r)) + mlp(LN2(r)), or one after the other.
func (w *transformerWeights) Block(p *engine.Pass, l int, r graph.Value) {
	b := &w.layer[l]
	x := ops.Normalize(p.Graph, r, b.AttentionNorm)
	if w.Parallel {
		z := ops.Normalize(p.Graph, r, b.MLPNorm)
		w.attention(p, l, r, x)
		w.mlp(p, r, z, b)
		return
	}
	w.attention(p, l, r, x)
	w.mlp(p, r, ops.Normalize(p.Graph, r, b.MLPNorm), b)
}

// attention adds layer l's attention of the normalized x to the residual stream r: queries and keys are
// turned by position, keys and values kept, and every token sees those of itself and all before.
func (w *transformerWeights) attention(p *engine.Pass, l int, r, x graph.Value) {
	g, b, h := p.Graph, &w.layer[l], w.heads()
	qkv := ops.Linear(g, "query_key_value", x, b.QKV, ops.Finish{Bias: b.QKVBias, Alone: p.Single})
	y := w.attend(p, l, qkv, h)
	ops.LinearInto(g, "dense", r, y, ops.Norm{}, b.Dense, ops.Finish{Bias: b.DenseBias, Add: r, Alone: p.Single})
}

// attend is the attention of the tokens of one sequence, or of one token of each of several, whose keys and values
// lie apart.
func (w *transformerWeights) attend(p *engine.Pass, l int, qkv graph.Value, h ops.Heads) graph.Value {
	var caches []ops.Cache
	for row := range p.Sequences() {
		caches = append(caches, ops.Cache{Keys: p.Growing(l, keysPart, row), Values: p.Growing(l, valuesPart, row)})
	}
	if len(caches) == 1 {
		q := ops.Rotary(p.Graph, qkv, h, w.turns, w.rotary(), caches[0])
		return ops.Causal(p.Graph, q, caches[0], h, w.MaxPositions)
	}
	q := ops.RotaryEach(p.Graph, qkv, h, w.turns, w.rotary(), caches)
	return ops.CausalEach(p.Graph, q, caches, h, w.MaxPositions)
}

// mlp adds W_down gelu(W_up x) to the residual stream r.
func (w *transformerWeights) mlp(p *engine.Pass, r, x graph.Value, b *transformerLayer) {
	y := ops.Linear(p.Graph, "dense_h_to_4h", x, b.Up, ops.Finish{Bias: b.UpBias, GELU: true, Alone: p.Single})
	ops.LinearInto(p.Graph, "dense_4h_to_h", r, y, ops.Norm{}, b.Down, ops.Finish{Bias: b.DownBias, Add: r, Alone: p.Single})
}
