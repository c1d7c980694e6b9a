package probe_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/engine/probe"
	"github.com/mmrun/mmrun/graph"
)

// TestProfile: what is timed is a text with the head, and leaves the sequence as it would be without: across
// windows, in passes and as a token alone.
func TestProfile(t *testing.T) {
	for _, name := range []string{"mamba-tiny", "memmamba-fifo", "neox-parallel"} {
		dir := filepath.Join(goldenDir, name)
		for _, last := range []int{1, 5} { // tokens of the last call
			m, s := open(t, dir, 64)
			tokens, want := text(t, dir, m.Sizes().Vocab)
			cut := len(tokens) - last
			for _, some := range [][]int32{tokens[:cut], tokens[cut:]} {
				times, err := probe.Profile(t.Context(), m, s, some)
				if err != nil {
					t.Fatal(err)
				}
				head := slices.IndexFunc(times, func(o graph.OpTime) bool { return o.Op == "head" })
				if head < 0 || times[head].Calls != 1 || times[head].Time <= 0 || times[head].Bytes <= 0 {
					t.Errorf("%s: the head once is not in %+v", name, times)
				}
			}
			logits, err := s.Logits()
			if bad := far(logits, want); err != nil || bad != "" {
				t.Errorf("%s, %d tokens last: %s (%v)", name, last, bad, err)
			}
		}
	}
}
