package memmamba

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/ops"
)

// Mamba is the settings of Mamba's selective state-space block (arXiv 2312.00752), with the defaults of Hugging
// Face's MambaConfig for what is absent. FalconMamba's norms dt, B and C.
type Mamba struct {
	IntermediateSize int     `json:"intermediate_size"`       // E
	StateSize        int     `json:"state_size"`              // N
	ConvKernel       int     `json:"conv_kernel"`             // K
	Expand           float64 `json:"expand"`                  // E = expand·d where intermediate_size is absent
	TimeStepRank     rank    `json:"time_step_rank"`          // R
	UseBias          bool    `json:"use_bias"`                // of in_proj and out_proj
	UseConvBias      bool    `json:"use_conv_bias"`           // of conv1d
	MixerRMSEps      float64 `json:"mixer_rms_eps,omitempty"` // of FalconMamba's norms

	norms bool // dt, B and C are normalized
}

// rank is a time-step rank: a number, or "auto" (absent) for ceil(d / 16).
type rank int

func (r *rank) UnmarshalJSON(data []byte) error {
	if string(data) == `"auto"` {
		*r = absent
		return nil
	}
	return json.Unmarshal(data, (*int)(r))
}

func init() {
	registerMixer("mamba", "MambaForCausalLM", func(data []byte) (*Backbone, Mixer, error) { return readMamba(data, false) })
	registerMixer("falcon_mamba", "FalconMambaForCausalLM", func(data []byte) (*Backbone, Mixer, error) { return readMamba(data, true) })
}

// readMamba reads a Mamba's backbone and mixer.
func readMamba(data []byte, norms bool) (*Backbone, Mixer, error) {
	b := &Backbone{Epsilon: 1e-5, Common: Common{VocabSize: 50280, HiddenSize: 768, NumHiddenLayers: 32,
		TieWordEmbeddings: true, HiddenAct: "silu", BOS: tokens{0}, EOS: tokens{0}}}
	m := &Mamba{IntermediateSize: absent, StateSize: 16, ConvKernel: 4, Expand: 2, TimeStepRank: absent, UseConvBias: true,
		MixerRMSEps: 1e-6, norms: norms}
	if err := cmp.Or(config.Decode(data, b), config.Decode(data, m)); err != nil {
		return nil, nil, err
	}
	if m.TimeStepRank == absent {
		m.TimeStepRank = rank((b.HiddenSize + 15) / 16)
	}
	if m.IntermediateSize == absent {
		inner := m.Expand * float64(b.HiddenSize)
		if !(inner >= 1 && inner <= maxWidth) {
			return nil, nil, fmt.Errorf("expand %g of hidden_size %d is not within 1 to %d", m.Expand, b.HiddenSize, maxWidth)
		}
		m.IntermediateSize = int(inner)
	}
	return b, m, cmp.Or(
		config.Within("intermediate_size", m.IntermediateSize, 1, maxWidth),
		config.Within("state_size", m.StateSize, 1, ops.MaxState),
		config.Within("conv_kernel", m.ConvKernel, 1, ops.MaxTaps),
		config.Within("time_step_rank", int(m.TimeStepRank), 1, maxWidth),
		config.Epsilon("mixer_rms_eps", m.MixerRMSEps))
}

// Inner implements Mixer.
func (m *Mamba) Inner() (E, N int) { return m.IntermediateSize, m.StateSize }

// The parts of a layer's state.
const (
	convPart = "conv" // the convolution's last K-1 inputs, oldest first
	hPart    = "h"    // the recurrent state (E, N)
)

// cutTokens implements Mixer: every token is a step of its own.
func (m *Mamba) cutTokens() int { return 1 }

func (m *Mamba) parts(layer int) []engine.Part {
	E, N := ops.Padded(m.IntermediateSize), ops.Padded(m.StateSize)
	return []engine.Part{
		{Layer: layer, Name: convPart, Rows: m.ConvKernel - 1, Cols: E},
		{Layer: layer, Name: hPart, Rows: E, Cols: N},
	}
}

// mambaWeights are the parameters of one mixer by the names of the Mamba paper.
type mambaWeights struct {
	*Mamba
	InProj, InBias   ops.Weight // (2E, d)
	ConvW, ConvB     ops.Weight // (K, E), (E)
	XProj            ops.Weight // (R+2N, E)
	SSM              ops.Selective
	OutProj, OutBias ops.Weight // (d, E)
}

func (m *Mamba) load(l *engine.Loader, prefix string, b *Backbone) mixer {
	d, E, N, R := b.HiddenSize, m.IntermediateSize, m.StateSize, int(m.TimeStepRank)
	w := &mambaWeights{
		Mamba:   m,
		InProj:  l.Matrix(prefix+"in_proj.weight", []int{E, E}, d),
		ConvW:   loadTaps(l, prefix+"conv1d.weight", E, m.ConvKernel),
		XProj:   l.Matrix(prefix+"x_proj.weight", []int{R, N, N}, E),
		OutProj: l.Matrix(prefix+"out_proj.weight", []int{d}, E),
		SSM: ops.Selective{
			DtProj: l.Matrix(prefix+"dt_proj.weight", []int{E}, R),
			DtBias: l.Vector(prefix+"dt_proj.bias", E),
			A:      loadDecay(l, prefix+"A_log", E, N),
			D:      l.Vector(prefix+"D", E),
		},
	}
	if m.UseConvBias {
		w.ConvB = l.Vector(prefix+"conv1d.bias", E)
	} else {
		w.ConvB = l.Put(make([]float32, ops.Padded(E)), 1, ops.Padded(E))
	}
	if m.UseBias {
		w.InBias = l.Sections(prefix+"in_proj.bias", []int{E, E})
		w.OutBias = l.Vector(prefix+"out_proj.bias", d)
	}
	return w
}

// loadTaps loads a depthwise convolution [E, 1, K] as (K, E), so that channels are neighbours.
func loadTaps(l *engine.Loader, name string, E, K int) ops.Weight {
	data := l.Table(name, E, K, E, 1, K)
	wide := make([]float32, K*ops.Padded(E))
	for e := range E {
		for k := range K {
			wide[k*ops.Padded(E)+e] = data[e*ops.Padded(K)+k]
		}
	}
	return l.Put(wide, K, ops.Padded(E))
}

// decayOf is A = -exp(A_log), finite, also times what kernels multiply it with, so that a time step of 0 decays nothing.
func decayOf(log float32) float32 {
	return float32(max(-math.Exp(float64(log)), -1e37))
}

// loadDecay loads A_log as A = -exp(A_log); padding channels decay too, of a state that stays 0.
func loadDecay(l *engine.Loader, name string, E, N int) ops.Weight {
	data := l.Table(name, E, N, E, N)
	for i, v := range data {
		data[i] = decayOf(v)
	}
	return l.Put(data, ops.Padded(E), ops.Padded(N))
}

// add adds Mamba's selective SSM block (arXiv 2312.00752, section 3.4) of norm(x) to the residual stream r.
func (w *mambaWeights) add(p *engine.Pass, l int, r, x graph.Value, norm ops.Norm) {
	u, z := w.convolved(p, l, x, norm)
	p.Tap(l, "u", u, 0, w.IntermediateSize)
	y := w.ssm(p, l, u, z)
	ops.LinearInto(p.Graph, "out_proj", r, y, ops.Norm{}, w.OutProj, ops.Finish{Bias: w.OutBias, Add: r, Alone: p.Single})
}

// convolved projects norm(x) to u and z, and takes u through the convolution.
func (w *mambaWeights) convolved(p *engine.Pass, l int, x graph.Value, norm ops.Norm) (u, z graph.Value) {
	g, E := p.Graph, w.ConvW.Cols
	conv := ops.Conv{W: w.ConvW, Bias: w.ConvB, State: p.Part(l, convPart)}
	if p.Single {
		uz := ops.LinearConvSiLU(g, "in_proj", x, norm, w.InProj, w.InBias, conv)
		return g.Columns(uz, 0, E), g.Columns(uz, E, 2*E)
	}
	uz := ops.NormLinear(g, "in_proj", x, norm, w.InProj, ops.Finish{Bias: w.InBias})
	return ops.ConvSiLU(g, g.Columns(uz, 0, E), conv), g.Columns(uz, E, 2*E)
}

// ssm is the selective state space with its gate: one step, or a scan over the pass.
func (w *mambaWeights) ssm(p *engine.Pass, l int, u, z graph.Value) graph.Value {
	dbc := w.selected(p, l, u)
	if p.Single {
		return ops.SSM(p.Graph, dbc, u, z, w.SSM, p.Part(l, hPart))
	}
	return w.scan(p, l, w.timeSteps(p, l, dbc), dbc, u, z)
}

// selected is what u is turned to for the state space: [dt; B; C] of every token.
func (w *mambaWeights) selected(p *engine.Pass, l int, u graph.Value) graph.Value {
	R := w.SSM.DtProj.Cols
	dbc := ops.Linear(p.Graph, "x_proj", u, w.XProj, ops.Finish{Alone: p.Single})
	if w.norms {
		ops.SegmentNorm(p.Graph, dbc, w.SSM, int(w.TimeStepRank), w.StateSize, w.MixerRMSEps)
	}
	p.Tap(l, "B", dbc, R, R+w.StateSize)
	return dbc
}

// timeSteps are Δ (T, E).
func (w *mambaWeights) timeSteps(p *engine.Pass, l int, dbc graph.Value) graph.Value {
	dt := p.Columns(dbc, 0, w.SSM.DtProj.Cols)
	delta := ops.Linear(p.Graph, "dt_proj", dt, w.SSM.DtProj, ops.Finish{Bias: w.SSM.DtBias, Softplus: true})
	p.Tap(l, "delta", delta, 0, w.IntermediateSize)
	return delta
}

// scan takes the state through the tokens of a pass.
func (w *mambaWeights) scan(p *engine.Pass, l int, delta, dbc, u, z graph.Value) graph.Value {
	return ops.Scan(p.Graph, delta, dbc, u, z, w.SSM, p.Part(l, hPart), ops.ScanPieces(p.Graph, u.Rows, u.Cols))
}
