package engine_test

import (
	"strings"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/testdata"
	"github.com/mmrun/mmrun/vk/testlayer"
)

// under switches on the layer that gives devices the least of every limit, and the validation layer off: where bindings share
// a block of memory it takes each for a use of the whole block, and finds hazards between parts that have nothing in common.
func under(t *testing.T, limits string) {
	t.Helper()
	t.Setenv("MMRUN_VALIDATE", "")
	env, err := testlayer.Build(t.TempDir(), limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range env {
		name, value, _ := strings.Cut(one, "=")
		t.Setenv(name, value)
	}
}

// TestLeastLimits: a model of every kind runs where every limit is the least that Vulkan promises. make test-drivers
// takes all goldens through the same.
func TestLeastLimits(t *testing.T) {
	under(t, "")
	for _, name := range testdata.Goldens {
		t.Run(name, func(t *testing.T) {
			dir := "../testdata/golden/" + name
			m, g := openModel(t, dir, Options{Chunk: 7}), readGolden(t, dir)
			if info := m.Device(); len(info.Paths) > 0 || info.Limits.MaxInvocations != 128 {
				t.Fatalf("the layer is not there: %+v", info)
			}
			testLogits(t, m, g)
			testGreedy(t, m, g)
		})
	}
}
