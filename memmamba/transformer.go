package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// transformer takes the residual stream r through all layers of a GPT-NeoX model (arXiv 2204.06745, section
// 2.1): attention and MLP side by side, r = r + attention(LN1(r)) + mlp(LN2(r)), or one after the
// other. r is (T, d) and is replaced.
func (p *pass) transformer(r graph.Value) {
	for l := range p.w.Blocks {
		w := &p.w.Blocks[l]
		x := ops.Normalize(p.Graph, r, w.AttentionNorm)
		if p.c.Transformer.Parallel {
			z := ops.Normalize(p.Graph, r, w.MLPNorm)
			p.attention(l, r, x)
			p.mlp(r, z, w)
			continue
		}
		p.attention(l, r, x)
		p.mlp(r, ops.Normalize(p.Graph, r, w.MLPNorm), w)
	}
}

// attention adds layer l's attention of the normalized x to the residual stream r: queries and keys are
// turned by position, keys and values kept, and every token sees those of itself and all before.
func (p *pass) attention(l int, r, x graph.Value) {
	g, w, h := p.Graph, &p.w.Blocks[l], p.c.heads()
	cache := ops.Cache{Keys: g.Whole(keysSlot(l), h.Count*h.D()), Values: g.Whole(valuesSlot(l), h.Count*h.D())}
	qkv := ops.Linear(g, "query_key_value", x, w.QKV, ops.Finish{Bias: w.QKVBias})
	q := ops.Rotary(g, qkv, h, p.w.Turns, p.c.rotary(), cache)
	y := ops.Causal(g, q, cache, h, p.c.Transformer.MaxPositions)
	ops.LinearInto(g, "dense", r, y, ops.Norm{}, w.Dense, ops.Finish{Bias: w.DenseBias, Add: r})
}

// mlp adds W_down gelu(W_up x) to the residual stream r.
func (p *pass) mlp(r, x graph.Value, w *transformerLayer) {
	y := ops.Linear(p.Graph, "dense_h_to_4h", x, w.Up, ops.Finish{Bias: w.UpBias, GELU: true})
	ops.LinearInto(p.Graph, "dense_4h_to_h", r, y, ops.Norm{}, w.Down, ops.Finish{Bias: w.DownBias, Add: r})
}

// The slots of a layer's cache.
func keysSlot(l int) string   { return fmt.Sprintf("keys.%d", l) }
func valuesSlot(l int) string { return fmt.Sprintf("values.%d", l) }

// passTokens is how many tokens a pass of a Transformer may have, chunk at the most: its splits of
// the keys leave a table of parts.
func (c Config) passTokens(chunk int) int {
	h := c.heads()
	splits, _ := ops.CausalSplits(chunk, c.Transformer.MaxPositions)
	return max(1, min(chunk, passBytes/(4*splits*h.Count*(h.D()+4))))
}

// tokensAt is how many tokens a pass may have that begins at a position: the further on, the more keys a
// token sees, and drivers give a device up for lost that one submission holds for seconds.
func (c Config) tokensAt(position int64) int {
	const most, least = 1 << 40, 16 // operations; tokens
	each := 4 * int64(c.HiddenSize) * int64(c.NumHiddenLayers) * (position + 1)
	return int(max(least, min(MaxChunk, most/each)))
}
