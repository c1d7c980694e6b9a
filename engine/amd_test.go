//go:build amd

package engine_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

var update = flag.Bool("update", false, "write testdata/amd anew")

// Mesa's RADV compiles for a chip that is not there when this variable names it. Memory and
// submissions do not work then; pipelines and what the driver tells of them do.
const (
	familyVariable = "RADV_FORCE_FAMILY"
	tableVariable  = "MMRUN_TEST_AMD_TABLE" // where the process for one chip writes its table
	modelsVariable = "MMRUN_TEST_AMD_MODELS"
)

// TestAMD, which runs with the build tag amd alone, compiles every pipeline that models make for three generations of AMD chips, and holds
// registers, spills and memory of each to the tables in testdata/amd. Registers are compared with the
// compiler that the table was made with alone; a new spill fails with any.
func TestAMD(t *testing.T) {
	driver := radv(t)
	models := t.TempDir()
	writeAMDModels(t, models)
	for _, family := range []string{"navi21", "gfx1100", "vega10"} {
		t.Run(family, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "table")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "VK_ICD_FILENAMES="+driver, familyVariable+"="+family, tableVariable+"="+path,
				modelsVariable+"="+models, "MMRUN_DEVICE=", "MMRUN_VALIDATE=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "amd", family+".txt")
			if *update {
				if err := os.WriteFile(golden, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range compareAMD(string(got), string(want)) {
				t.Error(bad)
			}
			if t.Failed() {
				t.Logf("if this is meant: go test -tags amd ./engine -run TestAMD -update")
			}
		})
	}
}

// radv finds the driver's manifest.
func radv(t *testing.T) string {
	for _, dir := range []string{"/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"} {
		if found, _ := filepath.Glob(filepath.Join(dir, "radeon_icd*.json")); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("Mesa's RADV is not on this machine; on Debian and Ubuntu: apt-get install mesa-vulkan-drivers")
	return ""
}

// loadedAs are formats that models are given when they are loaded, by the endings of the models' names.
var loadedAs = map[string]*quant.Format{"q8": quant.Q8_0, "q4k": quant.Q4_K, "q6k": quant.Q6_K}

// amdModels are models that make every pipeline between them, two layers each of the paper's width: the
// first has none before it to attend to.
func amdModels() map[string]refmodel.Config {
	models := map[string]refmodel.Config{}
	for _, kind := range []string{"f32", "f16", "bf16"} {
		models["mamba."+kind] = refmodel.Default(refmodel.Mamba)
		models["memmamba."+kind] = refmodel.Default(refmodel.MemMamba)
		heads := refmodel.Default(refmodel.Mamba2)
		heads.Hidden, heads.Heads.Heads, heads.Groups = 768, 24, 1
		models["mamba2."+kind] = heads
		gated := refmodel.Default(refmodel.MemMamba)
		gated.Memory.Replacement, gated.Memory.Pooling, gated.Memory.Fusion = "priority", "mean", "gated"
		gated.Bias, gated.Tied, gated.Memory.StateThreshold = true, false, 0
		models["gated."+kind] = gated
	}
	for kind := range loadedAs {
		models["memmamba."+kind], models["gated."+kind], models["mamba2."+kind] = models["memmamba.f16"], models["gated.f16"], models["mamba2.f16"]
	}
	models["falcon.f32"] = refmodel.Default(refmodel.FalconMamba)
	pooled := refmodel.Default(refmodel.MemMamba)
	pooled.Memory.Pooling, pooled.Memory.StateThreshold, pooled.Memory.Window = "max", 1, 1
	models["pooled.f32"] = pooled
	return models
}

func writeAMDModels(t *testing.T, dir string) {
	t.Helper()
	c := refmodel.DefaultTransformer()
	c.Layers, c.Hidden, c.Vocab = 1, 768, 2*ChooseFrom
	if err := refmodel.WriteRandomTransformer(filepath.Join(dir, "transformer.f32"), c, refmodel.Random{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range amdModels() {
		c.Layers, c.Vocab = 2, 2*ChooseFrom
		if c.Memory != nil {
			c.Memory.Period = 1
		}
		_, kind, _ := strings.Cut(name, ".")
		if loadedAs[kind] != nil {
			kind = "f16"
		}
		d, err := safetensors.ParseDType(strings.ToUpper(kind))
		if err == nil {
			err = refmodel.WriteRandom(filepath.Join(dir, name), c, refmodel.Random{DType: d})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestMain runs the tests, or in the process that TestAMD starts for a chip writes that chip's table:
// a process has one driver.
func TestMain(m *testing.M) {
	path := os.Getenv(tableVariable)
	if path == "" {
		os.Exit(m.Run())
	}
	if err := writeAMDTable(path, os.Getenv(modelsVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeAMDTable(path, models string) error {
	var head string
	lines := map[string]bool{}
	for _, off := range [][]vk.Path{nil, {vk.SubgroupPath}} { // along both paths
		top, more, err := compileModels(models, off)
		if err != nil {
			return err
		}
		head = top
		for _, line := range more {
			lines[line] = true
		}
	}
	return os.WriteFile(path, []byte(head+strings.Join(slices.Sorted(maps.Keys(lines)), "")), 0o666)
}

// compileModels compiles every model in a folder on a device that does without some paths, and returns
// the head and the lines of its table.
func compileModels(models string, off []vk.Path) (head string, lines []string, err error) {
	device, err := vk.Open(vk.Options{CacheDir: models, Statistics: true, Disable: off})
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	configs, err := filepath.Glob(filepath.Join(models, "*", "config.json"))
	if err != nil {
		return "", nil, err
	}
	for _, config := range configs {
		if err := compileModel(device, filepath.Dir(config)); err != nil {
			return "", nil, fmt.Errorf("%s: %w", config, err)
		}
	}
	return amdTable(device)
}

// compileModel makes all programs of a model for a device that cannot hold it.
func compileModel(device *vk.Device, dir string) error {
	src, err := checkpoint.Open(dir)
	if err != nil {
		return err
	}
	defer src.Close()
	to := loadedAs[strings.TrimPrefix(filepath.Ext(dir), ".")]
	if err := Compile(device, src, to, []int{2, 4, 8}); err != nil {
		return err
	}
	g := graph.New(device)
	ops.LimitRead(g, g.Temp(ops.LimitRows, 4))
	ops.LimitFMA(g, g.Temp(ops.LimitRows, 4), 8)
	return g.Err()
}

// amdTable is a line for every pipeline, and above them the compiler's name and the columns'.
func amdTable(device *vk.Device) (head string, lines []string, err error) {
	all, err := device.Statistics()
	if err != nil {
		return "", nil, err
	}
	info := device.Info()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s, %s\n", info.Driver, info.DriverInfo, info.Name)
	fmt.Fprintf(&b, "# %-20s %-18s", "kernel", "constants")
	for _, name := range amdNumbers {
		fmt.Fprintf(&b, " %13s", name)
	}
	b.WriteByte('\n')
	head = b.String()
	for _, s := range all {
		b.Reset()
		spec := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(s.Spec), "[]")), ",")
		fmt.Fprintf(&b, "%-22s %-18s", s.Name, "["+spec+"]")
		for _, name := range amdNumbers {
			n, ok := s.Numbers[name]
			if !ok {
				return "", nil, fmt.Errorf("the driver tells no %q, but %v", name, slices.Sorted(maps.Keys(s.Numbers)))
			}
			fmt.Fprintf(&b, " %13d", n)
		}
		b.WriteByte('\n')
		lines = append(lines, b.String())
	}
	return head, lines, nil
}
