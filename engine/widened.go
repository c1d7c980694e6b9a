package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

// Widened are matrices of types that no shader reads, by their types in the files: how many there are of each. They
// are F16 on the device.
type Widened map[string]int

// WidenedOf finds the matrices that a model of a config has to widen.
func WidenedOf(c Config, files *checkpoint.Tensors) (Widened, error) {
	asked, err := Tensors(c)
	w := Widened{}
	for _, a := range asked {
		t, ok := files.Tensor(a.Name)
		if ok && a.Role == Matrix && t.Format != nil && t.Format.OnDevice() != t.Format {
			w[t.Type]++
		}
	}
	return w, err
}

// String lists them.
func (w Widened) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(w)) {
		noun := "matrices"
		if w[name] == 1 {
			noun = "matrix"
		}
		words = append(words, fmt.Sprintf("%d %s of %s", w[name], noun, name))
	}
	return strings.Join(words, ", ") + ", to " + strings.ToUpper(quant.F16.Name)
}

// warnOfWidened says that a model takes more memory than its files.
func (m *Model) warnOfWidened(name string, files *checkpoint.Tensors, o Options) error {
	w, err := WidenedOf(m.config, files)
	if err == nil && len(w) > 0 && o.Warn != nil {
		o.Warn(fmt.Sprintf("%s: widened while loading: %s", name, w))
	}
	return err
}
