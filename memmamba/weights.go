package memmamba

import (
	"fmt"
	"math"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// weights are a model's parameters on the device. Close gives them back.
type weights struct {
	Embeddings ops.Weight // (vocab, d)
	Layers     []layer
	NormF      ops.Norm
	Head       ops.Weight // (vocab, d), the embeddings when tied
	Memory     *memoryWeights
	Blocks     []transformerLayer // of a Transformer, in place of Layers
	Turns      ops.Weight         // of its rotary embedding

	buffers []*vk.Buffer
	wait    func() error // until all of them are filled; see loadWeights
}

// layer holds the parameters of one block by the names of the Mamba paper.
type layer struct {
	Norm             ops.Norm
	InProj, InBias   ops.Weight // (2E, d)
	ConvW, ConvB     ops.Weight // (K, E), (E)
	XProj            ops.Weight // (R+2N, E)
	SSM              ops.Selective
	OutProj, OutBias ops.Weight   // (d, E)
	Memory           *layerMemory // of MemMamba
}

// loadWeights moves a checkpoint's tensors to the device. They have their places when it returns, but
// are not all there before wait has returned, until when the tensors must stay open.
func loadWeights(device *vk.Device, tensors *checkpoint.Tensors, c Config, to *quant.Format, o Options) (*weights, error) {
	l := newLoader(device, tensors, to)
	l.progress = o.Progress
	w := &weights{}
	w.load(l, c)
	w.buffers = l.buffers
	if l.err == nil {
		w.wait = l.fill()
		return w, nil
	}
	w.Close()
	return nil, l.err
}

func (w *weights) load(l *loader, c Config) {
	if c.Transformer != nil {
		w.loadTransformer(l, c)
		return
	}
	w.Embeddings = l.weight("backbone.embeddings.weight", []int{c.VocabSize}, c.HiddenSize)
	w.NormF = l.norm("backbone.norm_f.weight", c)
	w.Head = w.Embeddings
	if !c.TieWordEmbeddings {
		w.Head = l.weight("lm_head.weight", []int{c.VocabSize}, c.HiddenSize)
	}
	for n := range c.NumHiddenLayers {
		w.Layers = append(w.Layers, l.layer(fmt.Sprintf("backbone.layers.%d.", n), c))
		if c.Memory != nil && l.err == nil {
			w.Layers[n].Memory = l.layerMemory(n, w.Layers[n].Norm, c)
		}
	}
	if c.Memory != nil && l.err == nil {
		w.Memory = l.memory(c)
	}
}

func (l *loader) norm(name string, c Config) ops.Norm {
	return ops.Norm{Weight: l.vector(name, c.HiddenSize), Width: c.HiddenSize, Eps: c.LayerNormEpsilon}
}

func (l *loader) layer(prefix string, c Config) layer {
	d, E, N, R := c.HiddenSize, c.IntermediateSize, c.StateSize, int(c.TimeStepRank)
	mixer := prefix + "mixer."
	b := layer{
		Norm:    l.norm(prefix+"norm.weight", c),
		InProj:  l.weight(mixer+"in_proj.weight", []int{E, E}, d),
		ConvW:   l.taps(mixer+"conv1d.weight", E, c.ConvKernel),
		XProj:   l.weight(mixer+"x_proj.weight", []int{R, N, N}, E),
		OutProj: l.weight(mixer+"out_proj.weight", []int{d}, E),
		SSM: ops.Selective{
			DtProj: l.weight(mixer+"dt_proj.weight", []int{E}, R),
			DtBias: l.vector(mixer+"dt_proj.bias", E),
			A:      l.decay(mixer+"A_log", E, N),
			D:      l.vector(mixer+"D", E),
		},
	}
	if c.UseConvBias {
		b.ConvB = l.vector(mixer+"conv1d.bias", E)
	} else {
		b.ConvB = l.upload32(make([]float32, ops.Padded(E)), 1, ops.Padded(E))
	}
	if c.UseBias {
		b.InBias = l.sections(mixer+"in_proj.bias", []int{E, E})
		b.OutBias = l.vector(mixer+"out_proj.bias", d)
	}
	return b
}

// taps loads a depthwise convolution [E, 1, K] as (K, E), so that channels are neighbours.
func (l *loader) taps(name string, E, K int) ops.Weight {
	data := l.table(name, E, K, E, 1, K)
	wide := make([]float32, K*ops.Padded(E))
	for e := range E {
		for k := range K {
			wide[k*ops.Padded(E)+e] = data[e*ops.Padded(K)+k]
		}
	}
	return l.upload32(wide, K, ops.Padded(E))
}

// decay loads A_log as A = -exp(A_log); padding channels decay too, of a state that stays 0.
func (l *loader) decay(name string, E, N int) ops.Weight {
	data := l.table(name, E, N, E, N)
	for i, v := range data {
		data[i] = float32(-math.Exp(float64(v)))
	}
	return l.upload32(data, ops.Padded(E), ops.Padded(N))
}

// sections loads a bias whose sections are each padded.
func (l *loader) sections(name string, sizes []int) ops.Weight {
	data := l.row(name, sum(sizes))
	var wide []float32
	for _, n := range sizes {
		wide = append(append(wide, data[:n]...), make([]float32, ops.Padded(n)-n)...)
		data = data[n:]
	}
	return l.upload32(wide, 1, len(wide))
}

// Bytes is the device memory the weights take.
func (w *weights) Bytes() int64 {
	var total int64
	for _, b := range w.buffers {
		total += b.Size()
	}
	return total
}

// Close frees the weights. No program that uses them may be running.
func (w *weights) Close() {
	for _, b := range w.buffers {
		b.Close()
	}
	w.buffers = nil
}
