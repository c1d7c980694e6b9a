package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/quant"
)

// widened are matrices of types that no shader reads, by their types: how many there are of each. They are
// widened while they load.
type widened map[string]int

// widenedOf looks for the matrices among the tensors that a model asks for.
func widenedOf(asked []engine.Tensor, tensors *checkpoint.Tensors) widened {
	w := widened{}
	for _, a := range asked {
		t, ok := tensors.Tensor(a.Name)
		if ok && a.Role == engine.Matrix && t.Format != nil && t.Format.OnDevice() != t.Format {
			w[t.Type]++
		}
	}
	return w
}

// String lists them.
func (w widened) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(w)) {
		words = append(words, fmt.Sprintf("%d %s of %s", w[name], plural(w[name], "matrix", "matrices"), name))
	}
	return strings.Join(words, ", ") + ", to " + strings.ToUpper(quant.F16.Name)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// warnOfWidened says that a model takes more memory than its files.
func (e *opened) warnOfWidened(tensors *checkpoint.Tensors) error {
	asked, err := engine.Tensors(e.Config())
	if err != nil {
		return err
	}
	if w := widenedOf(asked, tensors); len(w) > 0 {
		e.console.warn("%s: widened while loading: %s", e.source.Name(), w)
	}
	return nil
}
