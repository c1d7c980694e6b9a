package tokenizer

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// mostAlive is the most that the heap held while f ran, beyond what it held before.
func mostAlive(f func()) int64 {
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	before, most := now.HeapAlloc, now.HeapAlloc
	done, watch := make(chan struct{}), sync.WaitGroup{}
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}
	})
	f()
	close(done)
	watch.Wait()
	return int64(most - before)
}

// TestMemoryOfLargeTexts: a text takes less than ten times its size, garbage that is not collected yet included.
func TestMemoryOfLargeTexts(t *testing.T) {
	text := strings.Repeat("It was a dark night, and 1,024 lamps burned — né? “Nothing,” said she.\n\n", 40_000)
	for _, name := range []string{"gpt-neox-20b", "llama2"} {
		tok, err := Parse(name, unzip("testdata/"+name+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		var ids []int32
		most := mostAlive(func() {
			if ids, err = tok.Encode(text); err != nil {
				t.Fatal(err)
			}
		})
		times := float64(most) / float64(len(text))
		t.Logf("%s: %.1f times %d bytes, %d tokens", name, times, len(text), len(ids))
		if times >= 10 {
			t.Errorf("%s: %.1f times the text's size", name, times)
		}
	}
}
