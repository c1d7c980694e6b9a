package bounded

import (
	"testing"
	"testing/synctest"
	"time"
)

var kept []byte

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestRun(t *testing.T) {
	for _, c := range []struct {
		what   string
		f      func()
		failed bool
	}{
		{"nothing", func() {}, false},
		{"much memory", func() { kept = make([]byte, least+perByte*1000+1<<20) }, true},
		{"much time", func() { time.Sleep(most + time.Second) }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &recorder{TB: t}
			if Run(r, 1000, c.f); r.failed != c.failed {
				t.Errorf("%s: failed %v", c.what, r.failed)
			}
		})
	}
	kept = nil
}
