package refmodel

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// small returns a small odd configuration of the given type.
func small(modelType string) Config {
	c := Default(modelType)
	c.Vocab, c.Hidden, c.Expand, c.Layers, c.State, c.Kernel = 97, 36, 2, 5, 8, 3
	if c.Memory != nil {
		c.Summary, c.Pool, c.Window, c.Period = 12, 9, 8, 2
	}
	if modelType == Mamba2 {
		c = heads(c)
	}
	return c
}

// heads puts a Mamba-2 mixer of 18 narrow heads of three groups into a configuration.
func heads(c Config) Config {
	c = c.withHeads()
	c.Heads.Heads, c.HeadDim, c.Groups = 18, 4, 3
	if c.Memory != nil {
		c.Mixer = Mamba2
	}
	return c
}

func load(t *testing.T, dir string, c Config, r Random) *Model {
	t.Helper()
	if err := WriteRandom(dir, c, r); err != nil {
		t.Fatal(err)
	}
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func rms(x []float64) float64 { return math.Sqrt(dot(x, x) / float64(len(x))) }

// TestRandomStaysSane holds random models of every kind to logits of a few units and decisions on
// both sides.
func TestRandomStaysSane(t *testing.T) {
	for i, modelType := range []string{Mamba, FalconMamba, MemMamba, MemMamba, MemMamba, Mamba2, Mamba2, MemMamba} {
		c := small(modelType)
		switch i {
		case 5:
			c.NormGroups, c.Limit = 1, Limit{0.002, 0.3}
		case 6:
			c.Norm = false
		case 7:
			c = heads(c)
		}
		c.Bias, c.ConvBias, c.Tied = i%2 == 1, i%2 == 0, i%3 == 0
		if c.Memory != nil {
			c.Replacement = []string{"fifo", "priority"}[i%2]
			c.Pooling = []string{"concat", "mean", "max"}[i%3]
			c.Fusion = []string{"residual", "gated"}[i%2]
			c.NoteThreshold, c.StateThreshold = 0.3+0.1*float64(i%5), 0.6
			if i == 3 {
				c.Trigger, c.LayerThreshold = "state", 0.6
			}
			c.Growth, c.Most = i%3, c.Pool+i%5
		}
		t.Run(fmt.Sprint(i, modelType), func(t *testing.T) {
			m := load(t, t.TempDir(), c, Random{Seed: uint64(i)})
			want, err := c.complete()
			if err != nil || !reflect.DeepEqual(m.Config, want) {
				t.Errorf("configuration came back as %+v, want %+v, error %v", m.Config, want, err)
			}
			r := m.Run(RandomTokens(c, 7, 100))
			for at, row := range r.Logits {
				if size := rms(row); !(size > 0.3 && size < 10) {
					t.Fatalf("logits of token %d are of size %v", at, size)
				}
			}
			if c.Memory == nil {
				return
			}
			g, reads := r.Margin, 60
			if c.Trigger == "state" {
				reads += 24 // of two layers
			}
			if g.Notes != 500 || g.NotesTaken < 50 || g.NotesTaken > 450 || g.Reads != reads || g.ReadsTaken < 6 || g.ReadsTaken > reads-6 {
				t.Errorf("decisions are one-sided: %+v", g)
			}
			if len(r.Reads) != 13 || slices.Max(r.PoolCount) != min(c.Most, c.Pool+3*c.Growth) {
				t.Errorf("%d windows, pools of %v", len(r.Reads), r.PoolCount)
			}
		})
	}
}

func TestRandomIsOfTheSeedAlone(t *testing.T) {
	c := small(MemMamba)
	tokens := RandomTokens(c, 1, 20)
	want := load(t, t.TempDir(), c, Random{Seed: 3}).Run(tokens)
	if same := load(t, t.TempDir(), c, Random{Seed: 3, DType: safetensors.F32}).Run(tokens); !reflect.DeepEqual(same, want) {
		t.Error("the same seed gives another model")
	}
	if other := load(t, t.TempDir(), c, Random{Seed: 4}).Run(tokens); reflect.DeepEqual(other.Logits, want.Logits) {
		t.Error("another seed gives the same model")
	}
	dir := t.TempDir()
	if shards := load(t, dir, c, Random{Seed: 3, Shard: 20000}).Run(tokens); !reflect.DeepEqual(shards, want) {
		t.Error("shards give another model")
	}
	if files, err := filepath.Glob(filepath.Join(dir, "model-*-of-*.safetensors")); err != nil || len(files) < 3 {
		t.Errorf("shards %v, error %v", files, err)
	}
}

func TestRandomTypes(t *testing.T) {
	c := small(Mamba)
	tokens := RandomTokens(c, 1, 20)
	want := load(t, t.TempDir(), c, Random{}).Run(tokens)
	for d, bound := range map[safetensors.DType]float64{safetensors.F16: 0.02, safetensors.BF16: 0.2} {
		dir := t.TempDir()
		got := load(t, dir, c, Random{DType: d}).Run(tokens)
		worst := 0.0
		for i, row := range got.Logits {
			for j, v := range row {
				worst = max(worst, math.Abs(v-want.Logits[i][j]))
			}
		}
		if !(worst > 1e-6 && worst < bound) {
			t.Errorf("%s: logits differ by %v, want something below %v", d, worst, bound)
		}
		f, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range f.Names() {
			if x, _ := f.Tensor(name); x.DType != d {
				t.Errorf("%s is %s, want %s", name, x.DType, d)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestZeroMemoryIsMamba: with all o_proj zero the logits are those of the Mamba part, whose random
// weights are the same by their names.
func TestZeroMemoryIsMamba(t *testing.T) {
	with := load(t, t.TempDir(), small(MemMamba), Random{Seed: 5})
	without := load(t, t.TempDir(), small(Mamba), Random{Seed: 5})
	tokens := RandomTokens(with.Config, 2, 60)
	want := without.Run(tokens).Logits
	if reflect.DeepEqual(with.Run(tokens).Logits, want) {
		t.Error("the memory makes no difference")
	}
	for l := range with.layers {
		clear(with.layers[l].token.o.w)
		clear(with.layers[l].cross.o.w)
	}
	if !reflect.DeepEqual(with.Run(tokens).Logits, want) {
		t.Error("a memory that recalls zeros changes the logits")
	}
}

func TestWriteSeparated(t *testing.T) {
	c := small(MemMamba)
	c.Replacement = "priority"
	dir, tokens, margin := t.TempDir(), RandomTokens(c, 9, 60), 1e-4
	seed, r, err := WriteSeparated(dir, c, Random{Seed: 40}, tokens, margin)
	if err != nil {
		t.Fatal(err)
	}
	if r.Margin.Min() < margin {
		t.Errorf("margin %+v, want %v", r.Margin, margin)
	}
	t.Logf("seed %d, %+v", seed, r.Margin)
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m.Run(tokens), r) {
		t.Errorf("the directory does not hold the model of seed %d", seed)
	}
	c.Layers = 1
	_, _, err = WriteSeparated(dir, c, Random{}, tokens[:1], 0.6)
	if !errors.Is(err, ErrNotSeparated) || !strings.Contains(err.Error(), "with seeds 0 to 99, 100 models decide closer than 0.6, the best at 0.4") {
		t.Errorf("got %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	c := small(Mamba)
	if err := WriteRandom(dir, c, Random{}); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct{ old, new, want string }{
		{`"mamba"`, `"transformer"`, `config.json: model_type "transformer" is not known`},
		{`"conv_kernel": 3`, `"conv_kernel": 0`, `config.json: conv_kernel is 0`},
		{`"vocab_size": 97`, `"vocab_size": "x"`, `config.json: json: cannot unmarshal string`},
		{`"vocab_size": 97`, `"vocab_size": 98`, `tensor "backbone.embeddings.weight" is [97 36], the configuration wants [98 36]`},
		{`"use_bias": false`, `"use_bias": true`, `tensor "backbone.layers.0.mixer.in_proj.bias" is missing`},
		{`"use_conv_bias": true`, `"use_conv_bias": false`, `tensor "backbone.layers.0.mixer.conv1d.bias" has no place in the model`},
		{`"mamba"`, `"mamba2"`, `config.json: num_heads 128 of head_dim 64 are not an inner size of 72`},
		{`"mamba"`, `"memmamba"`, `tensor "backbone.layers.0.memory.note_score.weight" is missing`},
	} {
		changed := strings.Replace(string(raw), e.old, e.new, 1)
		if changed == string(raw) {
			t.Fatalf("%s is not in config.json", e.old)
		}
		if err := os.WriteFile(config, []byte(changed), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), e.want) || !strings.HasPrefix(err.Error(), dir) {
			t.Errorf("got %v, want %s", err, e.want)
		}
	}
}

func TestAutoRank(t *testing.T) {
	dir := t.TempDir()
	text := `{"model_type": "memmamba", "hidden_size": 100, "time_step_rank": "auto", "memory_pool_size": 3}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Default(MemMamba)
	want.Hidden, want.Inner, want.Rank, want.Pool, want.Most = 100, 200, 7, 3, 3
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v %+v, want %+v", c, c.Memory, want)
	}
}

func TestStepRefusesUnknownTokens(t *testing.T) {
	m := load(t, t.TempDir(), small(Mamba), Random{})
	defer func() {
		if said := fmt.Sprint(recover()); said != "refmodel: token 97 is not in the vocabulary of 97" {
			t.Errorf("got %s", said)
		}
	}()
	m.NewState().Step(97)
}
