package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Results of calls that fail, as the specification numbers them.
const (
	notEnded       = 2 // VK_TIMEOUT
	incomplete     = 5
	noHostMemory   = -1
	noDeviceMemory = -2
	notInitialized = -3
	isLost         = -4
	notMapped      = -5
	noLayer        = -6
	noExtension    = -7
	noFeature      = -8
	noDriver       = -9
	tooMany        = -10
	fragmented     = -12
	noPoolMemory   = -1000069000
	noPool         = -1000161000
)

// faults are the results that each call may have.
var faults = map[string][]int{
	"vkCreateInstance":           {noHostMemory, noDeviceMemory, notInitialized, noLayer, noExtension, noDriver},
	"vkEnumeratePhysicalDevices": {noHostMemory, noDeviceMemory, notInitialized},
	"vkCreateDevice":             {noHostMemory, noDeviceMemory, notInitialized, isLost, noExtension, noFeature, tooMany},
	"vkAllocateMemory":           {noDeviceMemory, noHostMemory}, "vkMapMemory": {notMapped, noHostMemory, noDeviceMemory},
	"vkBindBufferMemory": {noDeviceMemory, noHostMemory}, "vkCreateBuffer": {noDeviceMemory, noHostMemory},
	"vkCreateBufferView": {noDeviceMemory, noHostMemory}, "vkCreateShaderModule": {noDeviceMemory, noHostMemory},
	"vkCreateDescriptorSetLayout": {noDeviceMemory, noHostMemory}, "vkCreatePipelineLayout": {noDeviceMemory, noHostMemory},
	"vkCreatePipelineCache": {noHostMemory}, "vkGetPipelineCacheData": {noHostMemory, noDeviceMemory, incomplete},
	"vkCreateComputePipelines": {noDeviceMemory, noHostMemory}, "vkCreateDescriptorPool": {noPool, noDeviceMemory, noHostMemory},
	"vkAllocateDescriptorSets": {noPoolMemory, fragmented, noDeviceMemory, noHostMemory}, "vkCreateCommandPool": {noDeviceMemory, noHostMemory},
	"vkAllocateCommandBuffers": {noDeviceMemory, noHostMemory}, "vkBeginCommandBuffer": {noDeviceMemory, noHostMemory},
	"vkEndCommandBuffer": {noDeviceMemory, noHostMemory}, "vkCreateFence": {noDeviceMemory, noHostMemory},
	"vkResetFences": {noDeviceMemory}, "vkGetFenceStatus": {isLost, noDeviceMemory, noHostMemory},
	"vkWaitForFences": {noDeviceMemory, isLost, noHostMemory, notEnded}, "vkQueueSubmit": {isLost, noDeviceMemory, noHostMemory},
	"vkCreateQueryPool": {noDeviceMemory, noHostMemory}, "vkGetQueryPoolResults": {isLost, noDeviceMemory, noHostMemory},
}

// faulty runs the program over the layer of vk/testdata/faults.
type faulty struct {
	dir  string
	args []string
	want string         // what it writes when nothing fails
	made map[string]int // how often it makes each call then
}

// newFaulty builds the layer.
func newFaulty(t *testing.T, args ...string) *faulty {
	t.Helper()
	f := &faulty{dir: t.TempDir(), args: args}
	headers, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}/vulkan", "github.com/goki/vulkan").Output()
	if err != nil {
		t.Fatal(err)
	}
	cc, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(f.dir, "libfaults.so")
	build := exec.Command(strings.TrimSpace(string(cc)), "-w", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-DVK_NO_PROTOTYPES",
		"-I", strings.TrimSpace(string(headers)), "-o", library, filepath.Join("..", "..", "vk", "testdata", "faults", "layer.c"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	manifest := fmt.Sprintf(`{"file_format_version": "1.0.0", "layer": {"name": "VK_LAYER_MMRUN_faults", "type": "GLOBAL", "library_path": %q,
"api_version": "1.3.0", "implementation_version": "1", "description": "faults",
"functions": {"vkGetInstanceProcAddr": "fault_instance", "vkGetDeviceProcAddr": "fault_device"}}}`, library)
	if err := os.WriteFile(filepath.Join(f.dir, "faults.json"), []byte(manifest), 0o666); err != nil {
		t.Fatal(err)
	}
	f.run(t, "")           // which compiles, for all that follow
	o, log := f.run(t, "") // and this is how those are
	if o.status != 0 || o.stdout == "" {
		t.Fatalf("without a fault: status %d, %s", o.status, o.stderr)
	}
	f.want, f.made = o.stdout, map[string]int{}
	for line := range strings.Lines(log) {
		var name string
		var n int
		if _, err := fmt.Sscanf(line, "calls %s %d", &name, &n); err == nil {
			f.made[name] = n
		}
	}
	f.checkLog(t, "", log)
	return f
}

// run runs the program with a fault and returns what the layer has counted.
func (f *faulty) run(t *testing.T, fault string) (outcome, string) {
	t.Helper()
	log := filepath.Join(f.dir, "log")
	if err := os.Remove(log); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	cmd := command(f.args...)
	cmd.Env = append(cmd.Env, "VK_LAYER_PATH="+f.dir, "VK_INSTANCE_LAYERS=VK_LAYER_MMRUN_faults", "MMRUN_FAULT="+fault, "MMRUN_FAULT_LOG="+log,
		"XDG_CACHE_HOME="+f.dir, "MMRUN_VALIDATE=0")
	late := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	o := finish(t, cmd, "")
	data, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return o, string(data)
}

// checkLog checks that nothing is left, and that nothing was freed in use.
func (f *faulty) checkLog(t *testing.T, fault, log string) {
	t.Helper()
	if strings.Contains(log, "live ") || log != "" && !strings.Contains(log, "busy 0\n") {
		_, rest, _ := strings.Cut(log, "vkQueueSubmit ")
		t.Errorf("%s: %s", fault, rest)
	}
}

// try runs the program with a fault: it ends as if there were none, or with an error in a line; what it has written till then is
// right, and nothing is left of it.
func (f *faulty) try(t *testing.T, fault string) {
	t.Helper()
	o, log := f.run(t, fault)
	switch {
	case o.status == 0 && o.stdout == f.want && o.stderr == "":
	case o.status == exitFailure && strings.HasPrefix(f.want, o.stdout) && strings.HasPrefix(o.stderr, "mmrun: ") && strings.Count(o.stderr, "\n") == 1:
	default:
		t.Errorf("%s: status %d, wrote %q, %q", fault, o.status, o.stdout, o.stderr)
	}
	if log == "" && !strings.HasPrefix(fault, "vkCreateInstance:") {
		t.Errorf("%s: the instance was not destroyed", fault)
	}
	f.checkLog(t, fault, log)
}

// TestFaults has calls of the driver fail, one at a time: of every call one in the middle of all, with the first of its
// results. With MMRUN_FAULTS=all it is up to a dozen of every call, with every result, once and from there on.
func TestFaults(t *testing.T) {
	f := newFaulty(t, "generate", "-q", "--device", "llvmpipe", "--model", modelDir(t, "memmamba-fifo"), "-p", "It was", "-n", "3", "--temp", "0", "--chunk", "2")
	all := os.Getenv("MMRUN_FAULTS") == "all"
	tried := 0
	for _, call := range slices.Sorted(maps.Keys(faults)) {
		made := f.made[call]
		if made == 0 {
			continue // nothing is timed here
		}
		at := []int{(made + 1) / 2}
		if all {
			at = nil
			for i := range min(made, 12) {
				at = append(at, 1+i*(made-1)/max(min(made, 12)-1, 1))
			}
		}
		for i, result := range faults[call] {
			for _, n := range at {
				if fault := fmt.Sprintf("%s:%d:%d", call, result, n); all {
					f.try(t, fault)
					f.try(t, fault+"+")
					tried += 2
				} else if i == 0 {
					f.try(t, fault)
					tried++
				}
			}
		}
	}
	f.try(t, fmt.Sprintf("vkWaitForFences:%d:2+", noHostMemory))
	t.Logf("%d faults", tried+1)
	if tried < 20 {
		t.Errorf("only %d faults were tried", tried)
	}
}
