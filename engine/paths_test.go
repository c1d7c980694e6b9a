package engine_test

import (
	"fmt"
	"path/filepath"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/vk"
)

// TestPaths: whatever paths a device does without, the goldens hold; what it can is what it takes unless
// told otherwise. With texel off a software device runs what GPUs run.
func TestPaths(t *testing.T) {
	for _, off := range [][]vk.Path{
		{vk.CoopMatPath}, {vk.TexelPath}, {vk.TexelPath, vk.CoopMatPath}, {vk.TexelPath, vk.SubgroupPath, vk.CoopMatPath},
	} {
		for _, name := range []string{"mamba-odd-bf16", "mamba2-groups-bf16", "memmamba-priority", "neox-sequential-odd"} {
			t.Run(fmt.Sprintf("%v/%s", off, name), func(t *testing.T) {
				dir := filepath.Join(goldenDir, name)
				m, g := openModel(t, dir, Options{Disable: off, Chunk: 64}), readGolden(t, dir)
				for _, p := range off {
					if m.Device().Takes(p) {
						t.Errorf("the device takes %s", p)
					}
				}
				testLogits(t, m, g)
				testGreedy(t, m, g)
			})
		}
	}
}
