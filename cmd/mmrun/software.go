package main

import (
	"os"
	"slices"

	"github.com/mmrun/mmrun/engine"
)

const (
	threadsVariable = "LP_NUM_THREADS" // of Mesa's software device; 0: kernels run in the thread that submits them
	smallModel      = 16 << 20         // bytes of weights
)

// suitSoftware has Mesa's software device run the kernels of a small model in one thread, unless the user
// chose a number: waking others takes longer than such kernels do. Those grow with the context where a state does. The number is read when the device opens, after which undo leaves the choice to the next
// model; other drivers do not know of it.
func suitSoftware(src source) (undo func(), err error) {
	nothing := func() {}
	if _, set := os.LookupEnv(threadsVariable); set {
		return nothing, nil
	}
	weights, closing, err := src.weights()
	if err != nil {
		return nothing, nil // of which others tell
	}
	defer closing()
	size := int64(0)
	for _, name := range weights.Names() {
		t, _ := weights.Tensor(name)
		size += t.Size
	}
	if size > smallModel {
		return nothing, nil
	}
	cfg, err := src.config()
	if err != nil || slices.ContainsFunc(cfg.Parts(), func(p engine.Part) bool { return p.Grows }) {
		return nothing, nil // of an error others tell
	}
	return func() { os.Unsetenv(threadsVariable) }, os.Setenv(threadsVariable, "0")
}
