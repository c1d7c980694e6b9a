package memmamba

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/ops"
)

// Mamba2 is the settings of Mamba-2's block (arXiv 2405.21060, section 7), with the defaults of Hugging Face's
// Mamba2Config for what is absent.
type Mamba2 struct {
	Heads       int     `json:"num_heads"`       // H
	HeadDim     int     `json:"head_dim"`        // p; H·p is E
	Groups      int     `json:"n_groups"`        // G, of heads that share B and C
	StateSize   int     `json:"state_size"`      // N
	ConvKernel  int     `json:"conv_kernel"`     // K
	Expand      float64 `json:"expand"`          // E = expand·d
	UseBias     bool    `json:"use_bias"`        // of in_proj and out_proj
	UseConvBias bool    `json:"use_conv_bias"`   // of conv1d
	RMSNorm     bool    `json:"rms_norm"`        // y ⊙ silu(z) is normed
	NormGroups  int     `json:"norm_groups"`     // over the given number of groups of channels; n_groups where absent (ours)
	Limit       limit   `json:"time_step_limit"` // of Δ, from the least to the largest
}

// limit is two numbers, of which Python writes infinity in ways of its own.
type limit [2]float64

func (l *limit) UnmarshalJSON(data []byte) error {
	var ends []json.RawMessage
	if err := json.Unmarshal(data, &ends); err != nil {
		return err
	}
	if len(ends) != 2 {
		return fmt.Errorf("time_step_limit: %d numbers, two are expected", len(ends))
	}
	for i, end := range ends {
		number, err := config.Number(end)
		if err != nil {
			return fmt.Errorf("time_step_limit: %w", err)
		}
		l[i] = number
	}
	return nil
}

// MarshalJSON writes the numbers as words, for infinity is no number of JSON's.
func (l limit) MarshalJSON() ([]byte, error) {
	return json.Marshal([]string{fmt.Sprint(l[0]), fmt.Sprint(l[1])})
}

func init() { registerMixer("mamba2", "Mamba2ForCausalLM", readMamba2) }

func readMamba2(data []byte) (*Backbone, Mixer, error) {
	b := &Backbone{Epsilon: 1e-5, Common: Common{VocabSize: 32768, HiddenSize: 4096, NumHiddenLayers: 64,
		HiddenAct: "silu", BOS: tokens{0}, EOS: tokens{2}}}
	m := &Mamba2{Heads: 128, HeadDim: 64, Groups: 8, StateSize: 128, ConvKernel: 4, Expand: 2, UseConvBias: true, RMSNorm: true,
		NormGroups: absent, Limit: limit{0, math.Inf(1)}}
	old := struct {
		Tied *bool `json:"tie_embedding_weights"` // of older files
	}{&b.TieWordEmbeddings}
	if err := cmp.Or(config.Decode(data, &old), config.Decode(data, b), config.Decode(data, m)); err != nil {
		return nil, nil, err
	}
	if m.NormGroups == absent {
		m.NormGroups = m.Groups
	}
	return b, m, m.validate(b)
}

func (m *Mamba2) validate(b *Backbone) error {
	err := cmp.Or(
		config.Within("num_heads", m.Heads, 1, maxWidth),
		config.Within("head_dim", m.HeadDim, 1, maxWidth),
		config.Within("n_groups", m.Groups, 1, m.Heads),
		config.Within("state_size", m.StateSize, 1, ops.MaxState),
		config.Within("conv_kernel", m.ConvKernel, 1, ops.MaxTaps),
		config.Within("norm_groups", m.NormGroups, 1, maxWidth))
	E := m.Heads * m.HeadDim
	switch {
	case err != nil:
		return err
	case float64(E) != m.Expand*float64(b.HiddenSize):
		return fmt.Errorf("num_heads %d of head_dim %d are not expand %g of hidden_size %d", m.Heads, m.HeadDim, m.Expand, b.HiddenSize)
	case m.Heads%m.Groups != 0:
		return fmt.Errorf("n_groups %d does not divide num_heads %d", m.Groups, m.Heads)
	case E%m.NormGroups != 0:
		return fmt.Errorf("norm_groups %d does not divide num_heads %d of head_dim %d", m.NormGroups, m.Heads, m.HeadDim)
	case !(m.Limit[0] >= 0 && m.Limit[0] <= m.Limit[1]):
		return fmt.Errorf("time_step_limit %g to %g is no range of time steps", m.Limit[0], m.Limit[1])
	}
	return config.Within("head_dim of num_heads", E, 1, maxWidth)
}

// Inner implements Mixer.
func (m *Mamba2) Inner() (E, N int) { return m.Heads * m.HeadDim, m.StateSize }

// convolved are the sections of what the convolution takes: u, then B and C of every group.
func (m *Mamba2) convolved() []int {
	E, N := m.Inner()
	return append([]int{E}, slices.Repeat([]int{N}, 2*m.Groups)...)
}

// padded is how wide sections are together, each padded.
func padded(sections []int) (width int) {
	for _, n := range sections {
		width += ops.Padded(n)
	}
	return width
}

func (m *Mamba2) parts(layer int) []engine.Part {
	E, N := m.Inner()
	return []engine.Part{
		{Layer: layer, Name: convPart, Rows: m.ConvKernel - 1, Cols: padded(m.convolved())},
		{Layer: layer, Name: hPart, Rows: ops.Padded(E), Cols: ops.Padded(N)},
	}
}

// mamba2Weights are the parameters of one mixer by the names of the Mamba-2 paper.
type mamba2Weights struct {
	*Mamba2
	InProj, InBias   ops.Weight // (E + E+2GN + H, d): z, what the convolution takes, dt
	ConvW, ConvB     ops.Weight // (K, E+2GN), (E+2GN)
	SSD              ops.SSD
	Norm             ops.Norm   // of what was gated, none without rms_norm
	OutProj, OutBias ops.Weight // (d, E)
}

func (m *Mamba2) load(l *engine.Loader, prefix string, b *Backbone) mixer {
	E, _ := m.Inner()
	d, convolved := b.HiddenSize, m.convolved()
	rows := slices.Concat([]int{E}, convolved, []int{m.Heads})
	w := &mamba2Weights{
		Mamba2:  m,
		InProj:  l.Matrix(prefix+"in_proj.weight", rows, d),
		ConvW:   loadSectionTaps(l, prefix+"conv1d.weight", convolved, m.ConvKernel),
		OutProj: l.Matrix(prefix+"out_proj.weight", []int{d}, E),
		SSD: ops.SSD{
			DtBias: l.Vector(prefix+"dt_bias", m.Heads),
			A:      loadHeadDecay(l, prefix+"A_log", m.Heads),
			D:      l.Vector(prefix+"D", m.Heads),
			Low:    m.Limit[0], High: m.Limit[1], Heads: m.Heads, HeadDim: m.HeadDim, Groups: m.Groups,
		},
	}
	if m.UseConvBias {
		w.ConvB = l.Sections(prefix+"conv1d.bias", convolved)
	} else {
		w.ConvB = l.Put(make([]float32, padded(convolved)), 1, padded(convolved))
	}
	if m.UseBias {
		w.InBias = l.Sections(prefix+"in_proj.bias", rows)
		w.OutBias = l.Vector(prefix+"out_proj.bias", d)
	}
	if m.RMSNorm {
		w.Norm = ops.Norm{Weight: l.Vector(prefix+"norm.weight", E), Width: E, Eps: b.Epsilon, Groups: m.NormGroups}
	}
	return w
}

// loadSectionTaps is loadTaps with sections of channels, each padded.
func loadSectionTaps(l *engine.Loader, name string, sections []int, K int) ops.Weight {
	channels, width := 0, padded(sections)
	for _, n := range sections {
		channels += n
	}
	data := l.Table(name, channels, K, channels, 1, K)
	wide := make([]float32, K*width)
	from, to := 0, 0
	for _, n := range sections {
		for e := range n {
			for k := range K {
				wide[k*width+to+e] = data[(from+e)*ops.Padded(K)+k]
			}
		}
		from, to = from+n, to+ops.Padded(n)
	}
	return l.Put(wide, K, width)
}

// loadHeadDecay loads A_log of every head as A = -exp(A_log).
func loadHeadDecay(l *engine.Loader, name string, heads int) ops.Weight {
	data := l.Row(name, heads)
	for i, v := range data {
		data[i] = decayOf(v)
	}
	return l.Put(data, 1, len(data))
}

// add adds Mamba-2's block (arXiv 2405.21060, section 7) of norm(x) to the residual stream r.
func (w *mamba2Weights) add(p *engine.Pass, l int, r, x graph.Value, norm ops.Norm) {
	g, E, C := p.Graph, w.SSD.Channels(), w.ConvW.Cols
	conv := ops.Conv{W: w.ConvW, Bias: w.ConvB, State: p.Part(l, convPart), From: E}
	var zxd, xBC graph.Value
	if p.Single {
		zxd = ops.LinearConvSiLU(g, "in_proj", x, norm, w.InProj, w.InBias, conv)
		xBC = g.Columns(zxd, E, E+C)
	} else {
		zxd = ops.NormLinear(g, "in_proj", x, norm, w.InProj, ops.Finish{Bias: w.InBias})
		xBC = ops.ConvSiLU(g, g.Columns(zxd, E, E+C), conv)
	}
	z, dt, h := g.Columns(zxd, 0, E), g.Columns(zxd, E+C, zxd.Cols), p.Part(l, hPart)
	if p.Tapped() {
		w.tap(p, l, xBC, dt)
	}
	scan := ops.SSDScan
	if p.Single {
		scan = ops.SSDStep
	}
	y := scan(g, z, xBC, dt, w.SSD, h)
	ops.LinearInto(g, "out_proj", r, y, w.Norm, w.OutProj, ops.Finish{Bias: w.OutBias, Add: r, Alone: p.Single})
}

// tap shows what the state space works with: u (T, E), B of every group, (T, G·N) with N padded, and Δ of every
// head, (T, H).
func (w *mamba2Weights) tap(p *engine.Pass, l int, xBC, dt graph.Value) {
	E := w.SSD.Channels()
	p.Tap(l, "u", xBC, 0, w.Heads*w.HeadDim)
	p.Tap(l, "B", xBC, E, E+w.Groups*ops.Padded(w.StateSize))
	p.Tap(l, "delta", ops.SSDSteps(p.Graph, dt, w.SSD), 0, w.Heads)
}

// fading implements Mixer: a head's A is that of all its channels and states.
func (m *Mamba2) fading(prefix string, read func(name string) ([]float32, error)) (Fading, error) {
	A, err := decays(prefix, read)
	return Fading{E: m.Heads * m.HeadDim, N: ops.Padded(m.StateSize), Heads: m.Heads, Groups: m.Groups, A: A}, err
}

// Describe implements Mixer.
func (m *Mamba2) Describe() []engine.Setting {
	E, _ := m.Inner()
	return []engine.Setting{
		named("intermediate_size", "E", E), named("num_heads", "H", m.Heads), named("head_dim", "p", m.HeadDim),
		named("n_groups", "G", m.Groups), named("state_size", "N", m.StateSize), named("conv_kernel", "K", m.ConvKernel),
	}
}

// cutTokens implements Mixer.
func (m *Mamba2) cutTokens() int { return ops.SSDTokens }

func (m *Mamba2) sizes() []engine.StateSize {
	E, N := m.Inner()
	return []engine.StateSize{
		{Key: "conv", Text: "convolutions", Bytes: float * int64(E+2*m.Groups*N) * int64(m.ConvKernel-1)},
		{Key: "h", Text: "h", Bytes: float * int64(E) * int64(N)},
	}
}
