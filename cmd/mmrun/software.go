package main

import (
	"io/fs"
	"os"
)

const (
	threadsVariable = "LP_NUM_THREADS" // of Mesa's software device; 0: kernels run in the thread that submits them
	smallModel      = 16 << 20         // bytes of weights
)

// suitSoftware has Mesa's software device run the kernels of a small model in one thread, unless the user
// chose a number: waking others takes longer than such kernels do. Those of a Transformer grow with its
// context. The number is read when the device opens, after which undo leaves the choice to the next
// model; other drivers do not know of it.
func suitSoftware(src source) (undo func(), err error) {
	nothing := func() {}
	if _, set := os.LookupEnv(threadsVariable); set {
		return nothing, nil
	}
	info, err := fs.Stat(src.fsys, "model.safetensors")
	if err != nil || info.Size() > smallModel {
		return nothing, nil // in shards, or not there, of which others tell
	}
	if cfg, err := src.config(); err != nil || cfg.Transformer != nil {
		return nothing, nil // of an error others tell
	}
	return func() { os.Unsetenv(threadsVariable) }, os.Setenv(threadsVariable, "0")
}
