package memmamba

import (
	"errors"
	"fmt"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A dropping mixer can take tokens up to where DeciMamba (arXiv 2406.14528, section 4) drops some, and those
// that stay from there on.
type dropping interface {
	// weigh takes norm(x) (T, d) through the convolution, u (T, E), and gives the size of every token's time steps.
	weigh(p *engine.Pass, l int, x graph.Value, norm ops.Norm) (u, sizes graph.Value)

	// rest adds the block of norm(x) to the residual stream r, for tokens whose u weigh has made.
	rest(p *engine.Pass, l int, r, x graph.Value, norm ops.Norm, u graph.Value)
}

// Drops implements engine.Decimating.
func (n *network) Drops() error {
	if _, ok := n.layers[0].mixer.(dropping); !ok {
		return fmt.Errorf("only layers of Mamba drop tokens")
	}
	return nil
}

// Drops implements engine.Decimating: what a memory notes, and when, is told for no tokens that were dropped.
func (n *memNetwork) Drops() error { return errors.New("a model with a memory drops no tokens") }

// Weigh implements engine.Decimating.
func (n *network) Weigh(p *engine.Pass, l int, r graph.Value) (kept, sizes graph.Value) {
	return n.layers[l].mixer.(dropping).weigh(p, l, r, n.layers[l].norm)
}

// Rest implements engine.Decimating.
func (n *network) Rest(p *engine.Pass, l int, r, kept graph.Value) {
	n.layers[l].mixer.(dropping).rest(p, l, r, r, n.layers[l].norm, kept)
}

func (w *mambaWeights) weigh(p *engine.Pass, l int, x graph.Value, norm ops.Norm) (u, sizes graph.Value) {
	u, _ = w.convolved(p, l, x, norm)
	delta := w.timeSteps(p, l, w.selected(p, l, u))
	return u, ops.RowNorm(p.Graph, delta, w.IntermediateSize)
}

func (w *mambaWeights) rest(p *engine.Pass, l int, r, x graph.Value, norm ops.Norm, u graph.Value) {
	g, E := p.Graph, w.ConvW.Cols
	uz := ops.NormLinear(g, "in_proj", x, norm, w.InProj, ops.Finish{Bias: w.InBias})
	dbc := w.selected(p, l, u)
	y := w.scan(p, l, w.timeSteps(p, l, dbc), dbc, u, g.Columns(uz, E, 2*E))
	ops.LinearInto(g, "out_proj", r, y, ops.Norm{}, w.OutProj, ops.Finish{Bias: w.OutBias, Add: r})
}
