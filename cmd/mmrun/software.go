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
// chose a number: waking others takes longer than such kernels do. It is read when the device opens,
// and other drivers do not know of it.
func suitSoftware(src source) error {
	if _, set := os.LookupEnv(threadsVariable); set {
		return nil
	}
	info, err := fs.Stat(src.fsys, "model.safetensors")
	if err != nil || info.Size() > smallModel {
		return nil // in shards, or not there, of which others tell
	}
	return os.Setenv(threadsVariable, "0")
}
