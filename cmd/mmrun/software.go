package main

import (
	"os"
	"runtime"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/vk"
)

const (
	threadsVariable = "LP_NUM_THREADS" // of Mesa's software device; 0: kernels run in the thread that submits them
	smallModel      = 16 << 20         // bytes of weights
)

// suitSoftware has Mesa's software device run the kernels of a small model in one thread, unless the user
// chose a number: waking others takes longer than such kernels do. Those grow with the context where a state does. The number is read when the device opens, after which undo leaves the choice to the next
// model; other drivers do not know of it.
func suitSoftware(src source) (undo func(), err error) {
	if _, set := os.LookupEnv(threadsVariable); set || !suitsOneThread(src) {
		return func() {}, nil
	}
	return func() { os.Unsetenv(threadsVariable) }, os.Setenv(threadsVariable, "0")
}

// suitsOneThread says whether a model's kernels are small, however long a text gets.
func suitsOneThread(src source) bool {
	weights, closing, err := src.weights()
	if err != nil {
		return false // of which others tell
	}
	defer closing()
	size := int64(0)
	for _, name := range weights.Names() {
		t, _ := weights.Tensor(name)
		size += t.Size
	}
	if size > smallModel {
		return false
	}
	cfg, err := src.config()
	return err == nil && !slices.ContainsFunc(cfg.Parts(), func(p engine.Part) bool { return p.Grows })
}

// copiesOf is how often a model is opened to be served: as often as the flag says, else as there are cores where each copy
// runs in one thread of a software device, and once on others.
func copiesOf(c *cli.Context, src source) func(m *mmrun.Model) int {
	return func(m *mmrun.Model) int {
		switch {
		case c.Int("copies") > 0:
			return c.Int("copies")
		case m.Device().Type == vk.CPU && os.Getenv(threadsVariable) == "" && suitsOneThread(src):
			return runtime.GOMAXPROCS(0)
		}
		return 1
	}
}
