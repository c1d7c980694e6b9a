package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
)

// golden is what verify compares with. Tensors stay in the mapped file until they are needed.
type golden struct {
	*safetensors.File
	name   string
	tokens []int32            // [T]
	logits safetensors.Tensor // [T, vocab], a float type
	greedy []int32            // [G]; nil when the file has none
}

// openGolden opens a golden of a model with the given vocabulary.
func openGolden(path string, vocab int) (_ *golden, err error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	g := &golden{File: f, name: path}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if g.tokens, err = g.ids("tokens", vocab); err != nil {
		return nil, err
	}
	if len(g.tokens) == 0 {
		return nil, fmt.Errorf("%s: tokens: there are none", path)
	}
	if g.logits, err = g.floats("logits", len(g.tokens), vocab); err != nil {
		return nil, err
	}
	if _, ok := f.Tensor("greedy"); ok {
		g.greedy, err = g.ids("greedy", vocab)
	}
	return g, err
}

// checkNames refuses what the model has nothing to compare with: it would go uncompared.
func (g *golden) checkNames(cfg engine.Config) error {
	known := []string{"tokens", "logits", "greedy"}
	if c, ok := cfg.(engine.Recorded); ok {
		known = append(known, c.Records()...)
	}
	for _, name := range g.Names() {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s: %s: the model has nothing to compare it with", g.name, name)
		}
	}
	return nil
}

// has tells whether the file has a tensor.
func (g *golden) has(name string) bool {
	_, ok := g.Tensor(name)
	return ok
}

// ids is a list of token ids.
func (g *golden) ids(name string, vocab int) ([]int32, error) {
	t, ok := g.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("%s: there is no tensor %q", g.name, name)
	}
	if len(t.Shape) != 1 {
		return nil, fmt.Errorf("%s: %s: shape %v is not a list", g.name, name, t.Shape)
	}
	ids, err := t.Int32s()
	if err != nil {
		return nil, err
	}
	return ids, checkIDs(g.name+": "+name, ids, vocab)
}

// ints is a tensor of whole numbers of a shape; -1 stands for any size.
func (g *golden) ints(name string, shape ...int) ([]int32, []int, error) {
	t, err := g.shaped(name, shape...)
	if err != nil {
		return nil, nil, err
	}
	values, err := t.Int32s()
	return values, t.Shape, err
}

// floats is a tensor of a float type and shape; -1 stands for any size.
func (g *golden) floats(name string, shape ...int) (safetensors.Tensor, error) {
	t, err := g.shaped(name, shape...)
	if err == nil && !t.DType.Float() {
		err = fmt.Errorf("%s: %s: dtype %s is not a float type", g.name, name, t.DType)
	}
	return t, err
}

func (g *golden) shaped(name string, shape ...int) (safetensors.Tensor, error) {
	t, ok := g.Tensor(name)
	if !ok {
		return t, fmt.Errorf("%s: there is no tensor %q", g.name, name)
	}
	same := func(got, want int) bool { return got == want || want < 0 }
	if !slices.EqualFunc(t.Shape, shape, same) {
		return t, fmt.Errorf("%s: %s: shape %v does not fit %s", g.name, name, t.Shape, anyShape(shape))
	}
	return t, nil
}

// anyShape writes a shape with * where any size will do.
func anyShape(shape []int) string {
	return strings.ReplaceAll(fmt.Sprint(shape), "-1", "*")
}

// rows returns numbers of t from the given row on as many as fill dst.
func rows(t safetensors.Tensor, first int, dst []float32) error {
	return t.Widen(dst, first*t.Shape[len(t.Shape)-1])
}
