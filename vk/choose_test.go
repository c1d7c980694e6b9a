package vk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	infos := []Info{
		{Index: 0, Name: "llvmpipe (LLVM 15.0.6)", Type: CPU, UUID: "00000000-0000-0000-0000-00000000000a"},
		{Index: 1, Name: "Intel UHD 770", Type: Integrated, UUID: "00000000-0000-0000-0000-00000000000b"},
		{Index: 2, Name: "NVIDIA RTX 4090", Type: Discrete, UUID: "00000000-0000-0000-0000-00000000000c"},
		{Index: 3, Name: "NVIDIA RTX 4090", Type: Discrete, UUID: "00000000-0000-0000-0000-00000000000D"},
	}
	for _, c := range []struct {
		want string
		n    int
	}{
		{"", 2}, {"0", 0}, {"3", 3}, {"uhd", 1}, {"rtx 4090", 2}, {"LLVMPIPE", 0},
		{"00000000-0000-0000-0000-00000000000d", 3}, {"r", 2},
	} {
		n, err := choose(infos, c.want)
		if err != nil || n != c.n {
			t.Errorf("device %q: %d, %v; want %d", c.want, n, err, c.n)
		}
	}
	_, err := choose(infos, "radeon")
	if !errors.Is(err, ErrNoDevice) {
		t.Fatalf("unknown device: %v", err)
	}
	for _, part := range []string{`"radeon"`, "1: Intel UHD 770 (integrated)", "llvmpipe"} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q lacks %q or is not one line", err, part)
		}
	}
	for _, index := range []string{"4", "15", "4090"} { // parts of names as they are
		if n, err := choose(infos, index); !errors.Is(err, ErrNoDevice) {
			t.Errorf("device %q is %d, %v", index, n, err)
		}
	}
	if _, err := choose(nil, ""); !errors.Is(err, ErrNoDevice) {
		t.Errorf("no devices: %v", err)
	}
}

func TestComputeFamily(t *testing.T) {
	const graphics, compute, transfer = 1, 2, 4
	for _, c := range []struct {
		flags, bits []uint32
		family      uint32
		ok          bool
	}{
		{[]uint32{graphics | compute | transfer}, []uint32{64}, 0, true},
		{[]uint32{graphics | compute, transfer, compute | transfer}, []uint32{64, 64, 64}, 2, true},
		{[]uint32{graphics | compute, compute}, []uint32{36, 0}, 0, true},
		{[]uint32{compute | graphics, compute}, []uint32{0, 0}, 1, true},
		{[]uint32{graphics, transfer}, []uint32{64, 64}, 0, false},
	} {
		family, bits, ok := computeFamily(c.flags, c.bits)
		if ok != c.ok || family != c.family || ok && bits != c.bits[family] {
			t.Errorf("families %v with timestamps %v: %d, %d bits, %v", c.flags, c.bits, family, bits, ok)
		}
	}
}

func TestListAndOpenBy(t *testing.T) {
	all, err := List(Options{})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d devices, %v", len(all), err)
	}
	marked := 0
	for i, d := range all {
		if d.Index != i || d.Name == "" || d.APIVersion < "1.1" || d.Memory == 0 || d.Subgroup == 0 {
			t.Errorf("device %d: %+v", i, d)
		}
		l := d.Limits
		if l.MaxStorageBufferRange < 1<<27 || l.MaxSharedMemory < 16384 || l.MaxInvocations < 128 ||
			l.MaxPushConstants < 128 || l.MaxGroups[0] < 65535 || l.StorageAlign < 1 || l.TexelAlign < 1 ||
			l.MaxAllocation < 1<<30 || l.MaxTexelBufferElements < 65536 {
			t.Errorf("limits below what Vulkan promises: %+v", l)
		}
		if d.Default {
			marked++
		}
	}
	if marked != 1 {
		t.Errorf("%d devices are the default", marked)
	}
	last := all[len(all)-1]
	for _, o := range []Options{{Device: last.UUID}, {Device: last.Name}} {
		o.CacheDir = t.TempDir()
		d, err := Open(o)
		if err != nil {
			t.Fatalf("device %q: %v", o.Device, err)
		}
		if got := d.Info(); got.UUID != last.UUID && got.Name != last.Name {
			t.Errorf("device %q: opened %+v", o.Device, d.Info())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestEnvironment: MMRUN_DEVICE stands in for an empty option only.
func TestEnvironment(t *testing.T) {
	t.Setenv("MMRUN_DEVICE", "no such device")
	if _, err := Open(Options{CacheDir: t.TempDir()}); !errors.Is(err, ErrNoDevice) {
		t.Errorf("open: %v", err)
	}
	all, err := List(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Default {
			t.Errorf("%s is marked as the default", d.Name)
		}
	}
	d, err := Open(Options{Device: "0", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoDriver(t *testing.T) {
	t.Setenv("VK_ICD_FILENAMES", t.TempDir()+"/none.json")
	t.Setenv("VK_DRIVER_FILES", t.TempDir()+"/none.json")
	if _, err := Open(Options{}); !errors.Is(err, ErrNoDevice) {
		t.Errorf("open: %v", err)
	}
}

// TestNoLoader runs itself again where the loader's names lead to empty files.
func TestNoLoader(t *testing.T) {
	if os.Getenv("MMRUN_TEST_NO_LOADER") != "" {
		_, err := Open(Options{})
		if _, again := List(Options{}); !errors.Is(err, ErrNoLoader) || !errors.Is(again, ErrNoLoader) {
			t.Errorf("open: %v; list: %v", err, again)
		}
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoLoader$")
	cmd.Env = append(os.Environ(), "MMRUN_TEST_NO_LOADER=1", "LD_LIBRARY_PATH="+dir, "DYLD_LIBRARY_PATH="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
