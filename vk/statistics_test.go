package vk

import (
	"strings"
	"testing"
)

// TestStatistics: a driver tells of its pipelines when it was asked to at Open, and one that cannot
// says so there.
func TestStatistics(t *testing.T) {
	d := open(t)
	if _, err := d.Statistics(); err == nil || !strings.Contains(err.Error(), "opened without statistics") {
		t.Errorf("statistics nobody asked for: %v", err)
	}
	asked, err := Open(Options{CacheDir: t.TempDir(), Statistics: true})
	if err != nil {
		if !strings.Contains(err.Error(), statisticsExtension) {
			t.Errorf("open: %v, want it to name %s", err, statisticsExtension)
		}
		return
	}
	defer asked.Close()
	pipeline(t, asked, "axpy", 64)
	all, err := asked.Statistics()
	if err != nil || len(all) != 1 || all[0].Name != "axpy" || all[0].Spec[0] != 64 || len(all[0].Numbers) == 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
