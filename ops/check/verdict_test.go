package check

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/shaders"
	"github.com/mmrun/mmrun/vk"
)

// spoil has a kernel multiply where it should add, and the other way round.
func spoil(t *testing.T, kernel string) {
	t.Helper()
	const add, mul = 129, 133 // OpFAdd, OpFMul
	code, err := shaders.Load(kernel)
	if err != nil {
		t.Fatal(err)
	}
	wrong := append([]byte(nil), code...)
	for at := 20; at < len(wrong); {
		word := binary.LittleEndian.Uint32(wrong[at:])
		if op := word & 0xffff; op == add || op == mul {
			binary.LittleEndian.PutUint32(wrong[at:], word&^0xffff|(add+mul-op))
		}
		at += 4 * int(word>>16)
	}
	t.Cleanup(shaders.Swap(kernel, wrong))
}

// open opens a device on a cache of its own, and returns what it warned of.
func open(t *testing.T, dir string, disable ...vk.Path) (info vk.Info, lines []string) {
	t.Helper()
	d, err := Open(vk.Options{CacheDir: dir, Disable: disable}, func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	info = d.Info()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return info, lines
}

// TestWrongPathIsLeftOut: a path with a kernel that computes wrongly is not taken, with a line that says so, the
// first time and every time after it; the verdict is kept, and with right shaders it is another.
func TestWrongPathIsLeftOut(t *testing.T) {
	dir, access := t.TempDir(), graph.New(device).Access()
	path, ok := pathFor[access]
	if !ok {
		t.Fatalf("the device has only %s", access)
	}
	kernel := "gemv.q8." + string(access)
	spoil(t, kernel)
	for range 2 {
		info, lines := open(t, dir)
		if info.Takes(path) || len(lines) != 1 || !strings.Contains(lines[0], kernel) || !strings.Contains(lines[0], string(path)) {
			t.Fatalf("paths %v, warned of %q", info.Paths, lines)
		}
		inProcess.Clear() // as another process would find it
	}
	files, err := filepath.Glob(filepath.Join(dir, "verdict-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept %v, %v", files, err)
	}
	spoil(t, "gemv.q8.ssbo")
	if d, err := Open(vk.Options{CacheDir: dir, Disable: vk.Paths}, nil); err == nil || !strings.Contains(err.Error(), "gemv.q8.ssbo") {
		t.Fatalf("a device that computes wrongly along its last path: %v, %v", d, err)
	}
}

// TestVerdictIsKept: a device is tried once; what is damaged is tried again.
func TestVerdictIsKept(t *testing.T) {
	dir := t.TempDir()
	if info, lines := open(t, dir); len(lines) > 0 || len(info.Paths) != len(device.Info().Paths) {
		t.Fatalf("paths %v, warned of %q", info.Paths, lines)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "verdict-*.json"))
	if len(files) != 1 {
		t.Fatalf("kept %v", files)
	}
	for _, damaged := range []string{"", "{", `{"of":"another"}`} {
		inProcess.Clear()
		if err := os.WriteFile(files[0], []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		open(t, dir)
		if data, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(data), string(graph.New(device).Access())) {
			t.Fatalf("after %q: %s, %v", damaged, data, err)
		}
	}
}

// TestFullVerdict: what all trials find takes the place of what the few found.
func TestFullVerdict(t *testing.T) {
	dir, info := t.TempDir(), device.Info()
	wrong := []Result{{Kernel: "gemv.f32.texel", Path: graph.Texel, Wrong: "1 is 2"}, {Kernel: "gather", Path: graph.Buffer}}
	if err := Keep(dir, info, wrong); err != nil {
		t.Fatal(err)
	}
	found, err := LeftOut(dir, info)
	if err != nil || len(found) != 1 || found[0].Path != vk.TexelPath {
		t.Fatalf("left out %v, %v", found, err)
	}
	if err := Keep(dir, info, nil); err != nil {
		t.Fatal(err)
	}
	if found, err = LeftOut(dir, info); err != nil || len(found) > 0 {
		t.Fatalf("left out %v, %v", found, err)
	}
}

// TestTrialsCanFail: a kernel that computes wrongly is found by the trial that has it, and no other kernel is blamed.
func TestTrialsCanFail(t *testing.T) {
	spoil(t, "scan.ssbo")
	d, err := vk.Open(vk.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := &checker{device: d, results: map[string]*Result{}}
	for _, one := range []trial{{"scan", false, scan}, {"ssm", false, func(r *rig, a graph.Access) { ssm(r, a, ops.F32) }}} {
		if err := c.run(one, graph.Buffer, nil); err != nil {
			t.Fatal(err)
		}
	}
	if c.results["scan.ssbo"].Wrong == "" || c.results["ssm.f32.ssbo"].Wrong != "" {
		t.Errorf("scan %q, ssm %q", c.results["scan.ssbo"].Wrong, c.results["ssm.f32.ssbo"].Wrong)
	}
}
