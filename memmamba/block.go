package memmamba

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A pass is one model run under construction: some tokens of one sequence, or one token of each
// of several.
type pass struct {
	*graph.Graph
	c      Config
	w      *weights
	state  *stateLayout
	tokens int      // at the most
	single bool     // one token of each sequence, so that the scan is one step
	log    *passLog // of a MemMamba pass that may go through several windows
	taps   *taps    // of somebody who looks into the pass; mostly none
}

// blocks takes the residual stream r through all layers: r = r + mixer(RMSNorm(r)), with what the
// memory recalls fused into the mixer's input. r is (T, d) and is replaced.
func (p *pass) blocks(r graph.Value) {
	if p.c.Transformer != nil {
		p.transformer(r)
		return
	}
	for l := range p.w.Layers {
		w, s := &p.w.Layers[l], p.state.layer(p.Graph, l)
		x, norm := p.input(l, r)
		p.mixer(r, x, norm, w, s)
	}
}

// input is what layer l's mixer is given of the residual stream r, and the norm that is still to be applied
// to it, if any.
func (p *pass) input(l int, r graph.Value) (graph.Value, ops.Norm) {
	w := &p.w.Layers[l]
	switch {
	case w.Memory == nil && p.taps == nil:
		return r, w.Norm
	case p.single:
		return p.recallSingle(l, r, w.Norm)
	}
	x := ops.RMSNorm(p.Graph, r, w.Norm)
	p.tap(x)
	if w.Memory != nil {
		x = p.recall(l, r, x)
	}
	return x, ops.Norm{}
}

// mixer adds Mamba's selective SSM block (arXiv 2312.00752, section 3.4) of the normalized x to the
// residual stream r.
func (p *pass) mixer(r, x graph.Value, norm ops.Norm, w *layer, s layerState) {
	u, z := p.convolved(x, norm, w, s)
	p.tap(u)
	y := p.ssm(u, z, w, s)
	ops.LinearInto(p.Graph, "out_proj", r, y, ops.Norm{}, w.OutProj, ops.Finish{Bias: w.OutBias, Add: r, Alone: p.single})
}

// convolved projects x to u and z, and takes u through the convolution.
func (p *pass) convolved(x graph.Value, norm ops.Norm, w *layer, s layerState) (u, z graph.Value) {
	g, E := p.Graph, w.ConvW.Cols
	conv := ops.Conv{W: w.ConvW, Bias: w.ConvB, State: s.conv}
	if p.single {
		uz := ops.LinearConvSiLU(g, "in_proj", x, norm, w.InProj, w.InBias, conv)
		return g.Columns(uz, 0, E), g.Columns(uz, E, 2*E)
	}
	uz := ops.NormLinear(g, "in_proj", x, norm, w.InProj, ops.Finish{Bias: w.InBias})
	return ops.ConvSiLU(g, g.Columns(uz, 0, E), conv), g.Columns(uz, E, 2*E)
}

// ssm is the selective state space with its gate: one step, or a scan over the pass.
func (p *pass) ssm(u, z graph.Value, w *layer, s layerState) graph.Value {
	g := p.Graph
	dbc := ops.Linear(g, "x_proj", u, w.XProj, ops.Finish{Alone: p.single})
	if p.c.ModelType == falconType {
		ops.SegmentNorm(g, dbc, w.SSM, int(p.c.TimeStepRank), p.c.StateSize, p.c.MixerRMSEps)
	}
	p.tap(dbc)
	if p.single {
		return ops.SSM(g, dbc, u, z, w.SSM, s.h)
	}
	dt := g.Columns(dbc, 0, w.SSM.DtProj.Cols)
	delta := ops.Linear(g, "dt_proj", dt, w.SSM.DtProj, ops.Finish{Bias: w.SSM.DtBias, Softplus: true})
	p.tap(delta)
	pieces := ops.ScanPieces(g, u.Rows, u.Cols)
	return ops.Scan(g, delta, dbc, u, z, w.SSM, s.h, pieces)
}
