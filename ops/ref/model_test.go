package ref

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// model is made of nothing but this package's ops, fed window by window.
type model struct {
	Vocab     int             `json:"vocab_size"`
	D         int             `json:"hidden_size"`
	E         int             `json:"intermediate_size"`
	L         int             `json:"num_hidden_layers"`
	N         int             `json:"state_size"`
	K         int             `json:"conv_kernel"`
	R         int             `json:"time_step_rank"`
	Type      string          `json:"model_type"`
	Eps       float64         `json:"layer_norm_epsilon"`
	MixerEps  float64         `json:"mixer_rms_eps"`
	Tied      bool            `json:"tie_word_embeddings"`
	S         int             `json:"memory_summary_dim"`
	P         int             `json:"memory_pool_size"`
	Growth    int             `json:"memory_pool_growth"`
	Most      int             `json:"memory_pool_max"`
	W         int             `json:"memory_window"`
	Note      float32         `json:"memory_note_threshold"`
	Read      float32         `json:"memory_state_threshold"`
	LayerRead float32         `json:"cross_layer_threshold"`
	Policy    string          `json:"memory_replacement"`
	Period    int             `json:"cross_layer_period"`
	Pooling   string          `json:"cross_layer_pooling"`
	H         int             `json:"num_heads"`
	HeadDim   int             `json:"head_dim"`
	G         int             `json:"n_groups"`
	Limit     *refmodel.Limit `json:"time_step_limit"`
	weights   *safetensors.Model
	conv, h   [][]float32
	pools     [][]Note
	pending   [][]Note
	positions int64
}

func loadModel(t *testing.T, dir string) *model {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	m := &model{}
	if err := json.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	if m.weights, err = safetensors.OpenModel(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.weights.Close() })
	for range m.L {
		m.conv = append(m.conv, make([]float32, (m.E+2*m.G*m.N)*(m.K-1)))
		m.h = append(m.h, make([]float32, m.E*m.N))
	}
	m.pools, m.pending = make([][]Note, m.L), make([][]Note, m.L)
	return m
}

// weight returns the numbers of a tensor, nil when there is none.
func (m *model) weight(name string) []float32 {
	x, ok := m.weights.Tensor(name)
	if !ok {
		return nil
	}
	v, err := x.Float32s()
	if err != nil {
		panic(err)
	}
	return v
}

// window returns the logits of tokens that lie in one window, the first at its start.
func (m *model) window(ids []int32) []float32 {
	T := len(ids)
	embeddings := m.weight("backbone.embeddings.weight")
	r := Embed(embeddings, ids, m.D)
	if m.W > 0 {
		room := Room{m.P, m.Growth, max(m.P, m.Most)}
		for l := range m.pools {
			m.pools[l], m.pending[l] = Commit(m.pools[l], m.pending[l], m.Policy, room.At(m.positions/int64(m.W))), nil
		}
	}
	for l := range m.L {
		at := fmt.Sprintf("backbone.layers.%d.", l)
		x := RMSNorm(r, m.weight(at+"norm.weight"), m.Eps, T, m.D)
		in := x
		if m.W > 0 {
			in = m.remember(at+"memory.", l, x, T)
		}
		if m.H > 0 {
			r = Add(r, m.ssd(at+"mixer.", l, in, T))
		} else {
			r = Add(r, m.mixer(at+"mixer.", l, in, T))
		}
	}
	m.positions += int64(T)
	head := embeddings
	if !m.Tied {
		head = m.weight("lm_head.weight")
	}
	return Linear(RMSNorm(r, m.weight("backbone.norm_f.weight"), m.Eps, T, m.D), head, nil, T, m.D, m.Vocab)
}

func (m *model) mixer(at string, l int, x []float32, T int) []float32 {
	E, N, R := m.E, m.N, m.R
	xz := Linear(x, m.weight(at+"in_proj.weight"), m.weight(at+"in_proj.bias"), T, m.D, 2*E)
	z := columns(xz, T, 2*E, E, 2*E)
	u := ConvSiLU(columns(xz, T, 2*E, 0, E), m.weight(at+"conv1d.weight"), m.weight(at+"conv1d.bias"), m.conv[l], T, E, m.K)
	dbc := Linear(u, m.weight(at+"x_proj.weight"), nil, T, E, R+2*N)
	A := m.weight(at + "A_log")
	for i, v := range A {
		A[i] = float32(-math.Exp(float64(v)))
	}
	w := SSMWeights{DtWeight: m.weight(at + "dt_proj.weight"), DtBias: m.weight(at + "dt_proj.bias"), A: A, D: m.weight(at + "D"),
		Norm: m.Type == refmodel.FalconMamba, NormEps: m.MixerEps}
	y := SSM(w, dbc, u, z, m.h[l], T, E, N, R)
	return Linear(y, m.weight(at+"out_proj.weight"), m.weight(at+"out_proj.bias"), T, E, m.D)
}

// ssd is the mixer of Mamba-2.
func (m *model) ssd(at string, l int, x []float32, T int) []float32 {
	E, H, wide := m.E, m.H, m.E+2*m.G*m.N
	all := E + wide + H
	in := Linear(x, m.weight(at+"in_proj.weight"), m.weight(at+"in_proj.bias"), T, m.D, all)
	xBC := ConvSiLU(columns(in, T, all, E, E+wide), m.weight(at+"conv1d.weight"), m.weight(at+"conv1d.bias"), m.conv[l], T, wide, m.K)
	w := SSDWeights{DtBias: m.weight(at + "dt_bias"), A: m.weight(at + "A_log"), D: m.weight(at + "D"), Limit: [2]float64{0, math.Inf(1)},
		Heads: H, HeadDim: m.HeadDim, Groups: m.G, States: m.N}
	for i, v := range w.A {
		w.A[i] = float32(-math.Exp(float64(v)))
	}
	if m.Limit != nil {
		w.Limit = *m.Limit
	}
	y := SSD(w, columns(in, T, all, 0, E), xBC, columns(in, T, all, E+wide, all), m.h[l], T)
	y = GroupNorm(y, m.weight(at+"norm.weight"), m.Eps, T, E, m.G)
	return Linear(y, m.weight(at+"out_proj.weight"), m.weight(at+"out_proj.bias"), T, E, m.D)
}

// remember leaves the tokens' notes and returns the mixer's input.
func (m *model) remember(at string, l int, x []float32, T int) []float32 {
	scores := NoteScore(x, m.weight(at+"note_score.weight"), m.weight(at + "note_score.bias")[0], T, m.D)
	summaries := NoteProject(x, m.weight(at+"note_proj.weight"), T, m.D, m.S)
	for t, score := range scores {
		if score > m.Note {
			m.pending[l] = append(m.pending[l], Note{m.positions + int64(t), score, summaries[t*m.S : (t+1)*m.S]})
		}
	}
	in := x
	score := ReadScore(m.h[l], m.weight(at+"state_score.weight"), m.weight(at + "state_score.bias")[0], m.E, m.N)
	if m.positions > 0 && score > m.Read {
		s, i := Flat(m.pools[l])
		in = Add(in, m.recall(at+"token_attn.", x, s, i, T))
	}
	if (l+1)%m.Period == 0 && m.triggered(at, l) {
		s, i := CrossGather(m.pools[max(0, l-m.Period):l], m.Pooling)
		in = Add(in, m.recall(at+"layer_attn.", x, s, i, T))
	}
	return in
}

// triggered says whether a layer's cross-layer attention is there in the window that begins.
func (m *model) triggered(at string, l int) bool {
	w := m.weight(at + "layer_score.weight")
	if w == nil {
		return true
	}
	return m.positions > 0 && ReadScore(m.h[l], w, m.weight(at + "layer_score.bias")[0], m.E, m.N) > m.LayerRead
}

func (m *model) recall(at string, x, summaries, importances []float32, T int) []float32 {
	w := Attention{m.weight(at + "q_proj.weight"), m.weight(at + "k_proj.weight"), m.weight(at + "v_proj.weight"), m.weight(at + "o_proj.weight")}
	var gate *FusionGate
	if g := m.weight(at + "gate.weight"); g != nil {
		gate = &FusionGate{g, m.weight(at + "gate.bias")}
	}
	return Fuse(x, PoolAttention(x, w, summaries, importances, T, m.D, m.S), gate, T, m.D)
}

// TestGolden puts the ops together to the models of testdata/golden, which are float64 results of
// an independent implementation; the bound is theirs for a float32 engine.
func TestGolden(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/golden/*mamba*") // ops of Transformers are put together in package refmodel
	if err != nil || len(dirs) != 11 {
		t.Fatalf("golden models: %v %v", dirs, err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m := loadModel(t, dir)
			f, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			x, _ := f.Tensor("tokens")
			tokens, err := x.Int32s()
			if err != nil {
				t.Fatal(err)
			}
			x, _ = f.Tensor("logits")
			want, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			wide := make([]float64, len(want))
			for i, v := range want {
				wide[i] = float64(v)
			}
			m.check(t, tokens, wide)
		})
	}
}

// check holds the logits after each token to want.
func (m *model) check(t *testing.T, tokens []int32, want []float64) {
	t.Helper()
	step := m.W
	if step == 0 {
		step = 37
	}
	var got []float32
	for part := range slices.Chunk(tokens, step) {
		got = append(got, m.window(part)...)
	}
	if len(got) != len(want) {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	worst := 0.0
	for i, w := range want {
		diff := math.Abs(float64(got[i]) - w)
		if !(diff <= 2e-4+2e-4*math.Abs(w)) {
			t.Fatalf("logit %d of token %d is %v, want %v", i%m.Vocab, i/m.Vocab, got[i], w)
		}
		worst = max(worst, diff)
	}
	t.Logf("largest difference %.2g", worst)
}

// TestRandomModels holds the ops to the float64 model, which was written apart from them, where
// there is no golden model: the bound is the same.
func TestRandomModels(t *testing.T) {
	for _, c := range []struct{ kind, replacement, pooling, fusion string }{
		{refmodel.Mamba, "", "", ""},
		{refmodel.FalconMamba, "", "", ""},
		{refmodel.Mamba2, "", "", ""},
		{refmodel.MemMamba, "priority", "mean", "residual"},
		{refmodel.MemMamba, "priority", "max", "gated"},
		{refmodel.MemMamba, "fifo", "concat", "gated"},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			config := refmodel.Default(c.kind)
			config.Vocab, config.Hidden, config.Layers, config.State, config.Kernel = 101, 40, 6, 12, 2
			config.Bias, config.Tied = true, false
			if h := config.Heads; h != nil {
				h.Heads, h.HeadDim, h.Groups = 16, 5, 4
			}
			if mem := config.Memory; mem != nil {
				mem.Summary, mem.Pool, mem.Window, mem.Period = 20, 6, 5, 3
				mem.Replacement, mem.Pooling, mem.Fusion = c.replacement, c.pooling, c.fusion
			}
			dir, tokens := t.TempDir(), refmodel.RandomTokens(config, 1, 42)
			// The margin is what lets two correct float32 results be compared at all.
			_, want, err := refmodel.WriteSeparated(dir, config, refmodel.Random{}, tokens, 1e-4)
			if err != nil {
				t.Fatal(err)
			}
			m := loadModel(t, dir)
			m.check(t, tokens, slices.Concat(want.Logits...))
			for l, pool := range m.pools {
				var positions []int64
				for _, n := range pool {
					positions = append(positions, n.Position)
				}
				if m.W > 0 && !slices.Equal(positions, want.Positions[l]) {
					t.Errorf("pool %d holds the tokens %v, want %v", l, positions, want.Positions[l])
				}
			}
		})
	}
}
