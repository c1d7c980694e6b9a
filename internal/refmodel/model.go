// Package refmodel is a whole Mamba or MemMamba model in plain Go and float64, one token after the
// other: what the engine is held against. It shares nothing with the engine but the reader of the
// weights, and it writes random models to test with.
package refmodel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
	_ "github.com/mmrun/mmrun/checkpoint/safetensors" // the kind of files that models come in
)

// Model is a model directory with its weights, quantized or not, widened to float64: eight bytes a weight, meant for
// small models.
type Model struct {
	Config     Config
	embeddings matrix // (vocab, d)
	head       matrix // (vocab, d), the embeddings when tied
	normF      []float64
	layers     []layer
}

// matrix is row-major, one row an output.
type matrix struct {
	rows, cols int
	w          []float64
}

func (m matrix) row(i int) []float64 { return m.w[i*m.cols : (i+1)*m.cols] }

// mul returns m x + bias; a nil bias stands for zeros.
func (m matrix) mul(x, bias []float64) []float64 {
	out := make([]float64, m.rows)
	for i := range out {
		out[i] = dot(m.row(i), x)
		if bias != nil {
			out[i] += bias[i]
		}
	}
	return out
}

type layer struct {
	norm                          []float64
	inProj, xProj, dtProj, out    matrix
	conv, aLog                    matrix    // (E, K), (E, N)
	gateNorm                      []float64 // of Mamba-2 that norms what was gated
	inBias, convBias, dtBias, d   []float64
	outBias                       []float64
	noteScore, stateScore         []float64
	noteScoreBias, stateScoreBias float64
	layerScore                    []float64 // nil where nothing triggers the cross-layer attention
	layerScoreBias                float64
	noteProj                      matrix
	token, cross                  attention // cross has no rows where the layer has none
}

type attention struct {
	q, k, v, o           matrix
	gateWeight, gateBias []float64 // nil when fusion is residual
}

// Load reads the model directory dir. Every tensor that the configuration asks for must be there in
// its shape, and no other.
func Load(dir string) (*Model, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	src, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	tensors, err := src.Tensors()
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	r := &reader{tensors: tensors, read: map[string]bool{}}
	m := &Model{Config: c, embeddings: r.matrix("backbone.embeddings.weight", c.Vocab, c.Hidden)}
	m.head = m.embeddings
	if !c.Tied {
		m.head = r.matrix("lm_head.weight", c.Vocab, c.Hidden)
	}
	m.normF = r.vector("backbone.norm_f.weight", c.Hidden)
	for l := range c.Layers {
		m.layers = append(m.layers, r.layer(c, l))
	}
	for _, name := range tensors.Names() {
		if !r.read[name] {
			r.fail(fmt.Errorf("tensor %q has no place in the model", name))
		}
	}
	if err := errors.Join(r.err, src.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return m, nil
}

// reader reads tensors and keeps the first error.
type reader struct {
	tensors *checkpoint.Tensors
	read    map[string]bool
	err     error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) tensor(name string, shape ...int) []float64 {
	x, ok := r.tensors.Tensor(name)
	if !ok {
		r.fail(fmt.Errorf("tensor %q is missing", name))
		return nil
	}
	r.read[name] = true
	if !slices.Equal(x.Shape, shape) {
		r.fail(fmt.Errorf("tensor %q is %v, the configuration wants %v", name, x.Shape, shape))
		return nil
	}
	narrow, err := x.Float32s()
	if err != nil {
		r.fail(err)
		return nil
	}
	wide := make([]float64, len(narrow))
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	return wide
}

func (r *reader) vector(name string, n int) []float64 { return r.tensor(name, n) }

func (r *reader) number(name string) float64 {
	if v := r.tensor(name, 1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) matrix(name string, rows, cols int) matrix {
	return matrix{rows, cols, r.tensor(name, rows, cols)}
}

func (r *reader) layer(c Config, l int) layer {
	at := fmt.Sprintf("backbone.layers.%d.", l)
	d, E, N, K, R := c.Hidden, c.Inner, c.State, c.Kernel, int(c.Rank)
	if c.Heads != nil {
		return r.memory(c, l, r.heads(c, at))
	}
	w := layer{
		norm:   r.vector(at+"norm.weight", d),
		inProj: r.matrix(at+"mixer.in_proj.weight", 2*E, d),
		conv:   matrix{E, K, r.tensor(at+"mixer.conv1d.weight", E, 1, K)},
		xProj:  r.matrix(at+"mixer.x_proj.weight", R+2*N, E),
		dtProj: r.matrix(at+"mixer.dt_proj.weight", E, R),
		dtBias: r.vector(at+"mixer.dt_proj.bias", E),
		aLog:   r.matrix(at+"mixer.A_log", E, N),
		d:      r.vector(at+"mixer.D", E),
		out:    r.matrix(at+"mixer.out_proj.weight", d, E),
	}
	if c.Bias {
		w.inBias = r.vector(at+"mixer.in_proj.bias", 2*E)
		w.outBias = r.vector(at+"mixer.out_proj.bias", d)
	}
	if c.ConvBias {
		w.convBias = r.vector(at+"mixer.conv1d.bias", E)
	}
	return r.memory(c, l, w)
}

// memory adds what a layer has beside its mixer.
func (r *reader) memory(c Config, l int, w layer) layer {
	if c.Memory == nil {
		return w
	}
	d, at := c.Hidden, fmt.Sprintf("backbone.layers.%d.memory.", l)
	w.noteScore = r.vector(at+"note_score.weight", d)
	w.noteScoreBias = r.number(at + "note_score.bias")
	w.noteProj = r.matrix(at+"note_proj.weight", c.Summary, d)
	w.stateScore = r.vector(at+"state_score.weight", c.Inner)
	w.stateScoreBias = r.number(at + "state_score.bias")
	w.token = r.attention(c, at+"token_attn.")
	if c.Triggered(l) {
		w.layerScore = r.vector(at+"layer_score.weight", c.Inner)
		w.layerScoreBias = r.number(at + "layer_score.bias")
	}
	if c.CrossLayer(l) {
		w.cross = r.attention(c, at+"layer_attn.")
	}
	return w
}

func (r *reader) attention(c Config, at string) attention {
	S := c.Summary
	a := attention{
		q: r.matrix(at+"q_proj.weight", S, c.Hidden),
		k: r.matrix(at+"k_proj.weight", S, S),
		v: r.matrix(at+"v_proj.weight", S, S),
		o: r.matrix(at+"o_proj.weight", c.Hidden, S),
	}
	if c.Gated() {
		a.gateWeight = r.vector(at+"gate.weight", c.Hidden)
		a.gateBias = r.vector(at+"gate.bias", c.Hidden)
	}
	return a
}
