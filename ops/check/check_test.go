package check

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/shaders"
	"github.com/mmrun/mmrun/vk"
)

var device *vk.Device

func TestMain(m *testing.M) {
	var err error
	if device, err = vk.Open(vk.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "no Vulkan device for the tests:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := device.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// TestKernels: every kernel of every path that the device takes is tried, and is right.
func TestKernels(t *testing.T) {
	results, err := Kernels(device, nil)
	if err != nil {
		t.Fatal(err)
	}
	met := map[string]bool{}
	for _, r := range results {
		met[r.Kernel] = true
		if r.Wrong != "" {
			t.Errorf("%s: %s", r.Kernel, r.Wrong)
		}
	}
	paths := map[graph.Access]bool{}
	for _, p := range Paths(device.Info()) {
		paths[p] = true
	}
	for _, name := range shaders.Names() {
		if !met[name] && paths[pathOf(name)] {
			t.Errorf("%s is in no trial", name)
		}
	}
	if len(met) < 60 {
		t.Errorf("only %d kernels: %s", len(met), strings.Join(shaders.Names(), " "))
	}
}
