package refmodel

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// golden is a golden.safetensors: float64 results of an independent implementation, kept in float32.
type golden struct {
	t    *testing.T
	file *safetensors.File
}

func (g golden) tensor(name string) safetensors.Tensor {
	g.t.Helper()
	x, ok := g.file.Tensor(name)
	if !ok {
		g.t.Fatalf("no tensor %q", name)
	}
	return x
}

func (g golden) ints(name string) []int32 {
	g.t.Helper()
	v, err := g.tensor(name).Int32s()
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

func (g golden) floats(name string) []float32 {
	g.t.Helper()
	v, err := g.tensor(name).Float32s()
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// compare holds rows of numbers to a golden tensor and returns the largest difference.
func (g golden) compare(name string, got [][]float64) float64 {
	g.t.Helper()
	want, flat, worst := g.floats(name), slices.Concat(got...), 0.0
	if len(flat) != len(want) {
		g.t.Fatalf("%s: %d numbers, want %d", name, len(flat), len(want))
	}
	for i, v := range flat {
		d := math.Abs(v - float64(want[i]))
		if !(d <= 1e-5) {
			g.t.Fatalf("%s: number %d is %v, want %v", name, i, v, want[i])
		}
		worst = max(worst, d)
	}
	return worst
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"mamba-tiny", "mamba-odd-bf16", "memmamba-fifo", "memmamba-priority", "memmamba-token",
		"falcon-tiny", "mamba2-tiny", "mamba2-groups-bf16", "mamba2-wide-state", "memmamba-over-mamba2", "memmamba-growing", "memmamba-triggered"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../../testdata/golden", name)
			m, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			file, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			g := golden{t, file}
			tokens := g.ints("tokens")
			r := m.Run(tokens)
			t.Logf("%d tokens, logits differ by at most %.2g, %+v", len(tokens), g.compare("logits", r.Logits), r.Margin)
			want := g.ints("greedy")
			if got := m.Greedy(tokens[:32], len(want)); !slices.Equal(got, want) {
				t.Errorf("greedy is %v, want %v", got, want)
			}
			if m.Config.Memory != nil {
				checkMemory(g, r)
			}
		})
	}
}

func checkReads(g golden, name string, windows [][]int) {
	var reads []int32
	for _, window := range windows {
		for _, read := range window {
			reads = append(reads, int32(read))
		}
	}
	if want := g.ints(name); !slices.Equal(reads, want) {
		g.t.Errorf("%s are %v, want %v", name, reads, want)
	}
}

func checkMemory(g golden, r Result) {
	checkReads(g, "reads", r.Reads)
	if _, ok := g.file.Tensor("layer_reads"); ok {
		checkReads(g, "layer_reads", r.LayerReads)
	}
	counts := g.ints("pool_count")
	if len(counts) != len(r.PoolCount) {
		g.t.Fatalf("%d pools, want %d", len(r.PoolCount), len(counts))
	}
	for l, count := range counts {
		if r.PoolCount[l] != int(count) {
			g.t.Fatalf("pool %d has %d notes, want %d", l, r.PoolCount[l], count)
		}
		g.compare(fmt.Sprintf("pool.%d", l), r.Pools[l])
		g.compare(fmt.Sprintf("importance.%d", l), [][]float64{r.Importances[l]})
		if !slices.IsSorted(r.Positions[l]) {
			g.t.Errorf("pool %d: positions %v are out of order", l, r.Positions[l])
		}
	}
}
