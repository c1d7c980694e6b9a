// Package bounded holds readers of files to bounds of time and memory in tests that feed them anything.
package bounded

import (
	"runtime/metrics"
	"testing"
	"time"
)

// What reading a file of any content may take: time on a busy machine, and bytes allocated in all, garbage included.
const (
	most    = 10 * time.Second
	least   = 64 << 20 // bytes that any input may take
	perByte = 256      // further bytes for a byte of the input
)

// Run runs f, which reads input bytes, and fails the test when it took too long or allocated too much.
func Run(t testing.TB, input int, f func()) {
	t.Helper()
	begin, before := time.Now(), allocated()
	f()
	if took := time.Since(begin); took > most {
		t.Errorf("%d bytes of input took %v", input, took)
	}
	if got := allocated() - before; got > least+perByte*uint64(input) {
		t.Errorf("%d bytes of input took %d bytes of memory", input, got)
	}
}

// allocated is how many bytes the process has ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
