package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/memmamba"
)

// convertedTensors are the tensors of a checkpoint and those of the memory that its new config has, in the number
// type of its embeddings.
func convertedTensors(model *checkpoint.Tensors, from engine.Config, cfg *memmamba.Config, seed uint64) ([]safetensors.Out, error) {
	model, asked, err := checkModel(model, from)
	if err != nil {
		return nil, err
	}
	embeddings, _ := model.Tensor(asked[0].Name)
	var out []safetensors.Out
	for _, name := range model.Names() {
		t, _ := model.Tensor(name)
		same, err := safetensors.OfTensor(t)
		if err != nil {
			return nil, err
		}
		out = append(out, same...)
	}
	dtype, err := safetensors.ParseDType(embeddings.Type)
	if err != nil {
		return nil, err
	}
	b := &memoryBuilder{dtype: dtype, seed: seed}
	for layer := range cfg.NumHiddenLayers {
		b.layer(cfg, layer)
	}
	for _, t := range b.tensors {
		if _, ok := model.Tensor(t.Name); ok {
			return nil, fmt.Errorf("tensor %q is already there", t.Name)
		}
	}
	return append(out, b.tensors...), nil
}

// checkModel refuses a checkpoint without the tensors that its config asks for: what is made of it could not be
// opened. It returns what is asked for, and leaves out what nobody asks for.
func checkModel(model *checkpoint.Tensors, cfg engine.Config) (*checkpoint.Tensors, []engine.Tensor, error) {
	asked, err := engine.Tensors(cfg)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range asked {
		t, ok := model.Tensor(a.Name)
		if !ok {
			return nil, nil, fmt.Errorf("there is no tensor %q", a.Name)
		}
		if !slices.Equal(t.Shape, a.Shape) {
			return nil, nil, fmt.Errorf("tensor %q: shape %v, the config asks for %v", a.Name, t.Shape, a.Shape)
		}
	}
	used := model.Only(func(name string) bool {
		return slices.ContainsFunc(asked, func(a engine.Tensor) bool { return a.Name == name })
	})
	return used, asked, nil
}

// memoryBuilder collects a memory's first weights.
type memoryBuilder struct {
	dtype   safetensors.DType
	seed    uint64
	tensors []safetensors.Out
}

// layer adds the tensors of one layer's memory.
func (b *memoryBuilder) layer(cfg *memmamba.Config, n int) {
	d, s := cfg.HiddenSize, cfg.Memory.SummaryDim
	inner, _ := cfg.Mixer.Inner()
	at := fmt.Sprintf("backbone.layers.%d.memory.", n)
	b.random(at+"note_score.weight", d, d)
	b.zero(at+"note_score.bias", 1)
	b.random(at+"note_proj.weight", d, s, d)
	b.random(at+"state_score.weight", inner, inner)
	b.zero(at+"state_score.bias", 1)
	if cfg.Memory.Triggers(n) {
		b.random(at+"layer_score.weight", inner, inner)
		b.zero(at+"layer_score.bias", 1)
	}
	attentions := []string{"token_attn."}
	if (n+1)%cfg.Memory.Period == 0 {
		attentions = append(attentions, "layer_attn.")
	}
	for _, attention := range attentions {
		b.random(at+attention+"q_proj.weight", d, s, d)
		b.random(at+attention+"k_proj.weight", s, s, s)
		b.random(at+attention+"v_proj.weight", s, s, s)
		b.zero(at+attention+"o_proj.weight", d, s)
		if cfg.Memory.Fusion == "gated" {
			b.zero(at+attention+"gate.weight", d)
			b.zero(at+attention+"gate.bias", d)
		}
	}
}

// random adds a tensor of N(0, 1/fanIn), which depends on nothing but the seed and its place.
func (b *memoryBuilder) random(name string, fanIn int, shape ...int) {
	scale := 1 / math.Sqrt(float64(fanIn))
	place := uint64(len(b.tensors))
	b.add(name, shape, func(values []float32) {
		random := rand.New(rand.NewPCG(b.seed, place))
		for i := range values {
			values[i] = float32(scale * random.NormFloat64())
		}
	})
}

func (b *memoryBuilder) zero(name string, shape ...int) {
	b.add(name, shape, func([]float32) {})
}

// add adds a tensor that is made when it is written.
func (b *memoryBuilder) add(name string, shape []int, fill func(values []float32)) {
	count := 1
	for _, n := range shape {
		count *= n
	}
	dtype, shape := b.dtype, slices.Clone(shape)
	b.tensors = append(b.tensors, safetensors.Out{Name: name, DType: dtype, Shape: shape, Write: func(w io.Writer) error {
		values := make([]float32, count)
		fill(values)
		return safetensors.OfFloat32(name, dtype, shape, values).Write(w)
	}})
}
