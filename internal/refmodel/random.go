package refmodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// Random says how a random model is written.
type Random struct {
	Seed  uint64            // the same seed gives the same numbers, whatever DType and Shard are
	DType safetensors.DType // F32 (also the zero value), F16 or BF16, of every tensor
	Shard int64             // at most the given number of bytes a shard, with an index; 0 is one file
}

// prepare fills in what is left out and makes the directory.
func (r *Random) prepare(dir string) error {
	if r.DType == 0 {
		r.DType = safetensors.F32
	}
	return os.MkdirAll(dir, 0o777)
}

// WriteRandom writes config.json and the weights of a random model into dir, which is made when it
// is not there. Zero sizes of c that follow from others are filled in. The weights are drawn while
// they are written, so a large model takes no more memory than a small one.
//
// Activations, logits and states stay within a few units, and the scores of notes and reads spread
// on both sides of their thresholds when these are within (0, 1).
func WriteRandom(dir string, c Config, r Random) error {
	c, err := c.complete()
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := r.prepare(dir); err != nil {
		return err
	}
	if err := writeConfig(filepath.Join(dir, "config.json"), c, r.DType); err != nil {
		return err
	}
	return writeTensors(dir, randomTensors(c), r)
}

func writeTensors(dir string, tensors []randomTensor, r Random) error {
	var outs []safetensors.Out
	for _, t := range tensors {
		outs = append(outs, safetensors.Out{Name: t.name, DType: r.DType, Shape: t.shape,
			Write: func(w io.Writer) error { return t.write(w, r) }})
	}
	return safetensors.CreateModel(dir, map[string]string{"format": "pt"}, outs, r.Shard)
}

// calm is how far the logits of a separated model may move, on the scale of 1 + |logit|, when its
// weights are rounded otherwise: a twentieth of what an engine in float32, which rounds much more, may
// err by.
const calm = 1e-5

// ErrNotSeparated says that no seed made a model that an engine could be held against.
var ErrNotSeparated = errors.New("no separated model")

// WriteSeparated is WriteRandom with the first seed from r.Seed on for which no hard decision of a
// run over tokens comes closer than margin to falling the other way (see Margin), and which float32 can
// compute at all: some models make much of a little, and with those the best engine errs. Notes of
// exactly the same importance stay: the first layer scores a token that comes twice the same, and so
// must an engine. It returns that seed with the run's result; 100 seeds without success are an
// ErrNotSeparated.
func WriteSeparated(dir string, c Config, r Random, tokens []int32, margin float64) (uint64, Result, error) {
	const tries = 100
	first, tight, closest := r.Seed, 0, 0.0
	for ; r.Seed < first+tries; r.Seed++ {
		if err := WriteRandom(dir, c, r); err != nil {
			return 0, Result{}, err
		}
		m, err := Load(dir)
		if err != nil {
			return 0, Result{}, err
		}
		result, separated := m.RunSeparated(tokens, margin)
		if separated {
			return r.Seed, result, nil
		}
		if result.Margin.Min() < margin {
			tight++
		}
		closest = max(closest, result.Margin.Min())
	}
	return 0, Result{}, fmt.Errorf("%s: %w: with seeds %d to %d, %d models decide closer than %g, the best at %g, and %d are beyond float32",
		dir, ErrNotSeparated, first, r.Seed-1, tight, margin, closest, tries-tight)
}

// RunSeparated is Run, and whether the run is separated: whether none of its hard decisions comes closer than
// margin to falling the other way, and float32 can compute it.
func (m *Model) RunSeparated(tokens []int32, margin float64) (Result, bool) {
	result := m.Run(tokens)
	const noise = 1 // any will do
	return result, result.Margin.Min() >= margin && m.disturbed(noise).Run(tokens).near(result, calm)
}

// RandomTokens returns n tokens of the vocabulary, drawn evenly.
func RandomTokens(c Config, seed uint64, n int) []int32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]int32, n)
	for i := range out {
		out[i] = rng.Int32N(int32(c.Vocab))
	}
	return out
}

func writeConfig(path string, c Config, d safetensors.DType) error {
	architecture := map[string]string{Mamba: "MambaForCausalLM", FalconMamba: "FalconMambaForCausalLM",
		Mamba2: "Mamba2ForCausalLM", MemMamba: "MemMambaForCausalLM"}
	return writeJSON(path, struct {
		Config
		Architectures []string `json:"architectures"`
		Activation    string   `json:"hidden_act"`
		BOS           int      `json:"bos_token_id"`
		EOS           int      `json:"eos_token_id"`
		DType         string   `json:"torch_dtype"`
	}{c, []string{architecture[c.ModelType]}, "silu", 0, 0, torchType[d]})
}

var torchType = map[safetensors.DType]string{safetensors.F32: "float32", safetensors.F16: "float16", safetensors.BF16: "bfloat16"}

func writeJSON(path string, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	temp := path + ".tmp"
	if err := os.WriteFile(temp, append(raw, '\n'), 0o666); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return os.Rename(temp, path)
}

// randomTensor draws element i of a tensor.
type randomTensor struct {
	name  string
	shape []int
	draw  func(rng *rand.Rand, i int) float64
}

// write emits the tensor. Its numbers depend on the seed and its name alone, not on other tensors.
func (t randomTensor) write(w io.Writer, r Random) error {
	const block = 1 << 14
	hash := fnv.New64a()
	hash.Write([]byte(t.name))
	rng := rand.New(rand.NewPCG(r.Seed, hash.Sum64()))
	n := 1
	for _, s := range t.shape {
		n *= s
	}
	numbers, bytes := make([]float32, 0, block), []byte(nil)
	for i := range n {
		numbers = append(numbers, float32(t.draw(rng, i)))
		if len(numbers) < block && i+1 < n {
			continue
		}
		var err error
		if bytes, err = r.DType.Narrow(bytes[:0], numbers); err != nil {
			return err
		}
		if _, err := w.Write(bytes); err != nil {
			return err
		}
		numbers = numbers[:0]
	}
	return nil
}

// normal draws around mean with the given deviation.
func normal(mean, deviation float64) func(*rand.Rand, int) float64 {
	return func(rng *rand.Rand, _ int) float64 { return mean + deviation*rng.NormFloat64() }
}

// fan is the deviation that gives sums over n unit inputs the size gain.
func fan(n int, gain float64) float64 { return gain / math.Sqrt(float64(n)) }

// randomTensors lists the tensors of a model.
func randomTensors(c Config) []randomTensor {
	var out []randomTensor
	add := func(name string, draw func(*rand.Rand, int) float64, shape ...int) {
		out = append(out, randomTensor{name, shape, draw})
	}
	d := c.Hidden
	add("backbone.embeddings.weight", normal(0, fan(d, 2)), c.Vocab, d) // logits of size 2
	if !c.Tied {
		add("lm_head.weight", normal(0, fan(d, 2)), c.Vocab, d)
	}
	add("backbone.norm_f.weight", normal(1, 0.1), d)
	for l := range c.Layers {
		at := fmt.Sprintf("backbone.layers.%d.", l)
		add(at+"norm.weight", normal(1, 0.1), d)
		if c.Heads != nil {
			randomHeads(c, at+"mixer.", add)
		} else {
			randomMixer(c, at+"mixer.", add)
		}
		if c.Memory != nil {
			randomMemory(c, l, at+"memory.", add)
		}
	}
	return out
}

type adder func(name string, draw func(*rand.Rand, int) float64, shape ...int)

func randomMixer(c Config, at string, add adder) {
	d, E, N, K, R := c.Hidden, c.Inner, c.State, c.Kernel, int(c.Rank)
	add(at+"in_proj.weight", normal(0, fan(d, 1)), 2*E, d)
	add(at+"conv1d.weight", normal(0, fan(K, 1)), E, 1, K)
	add(at+"x_proj.weight", normal(0, fan(E, 2)), R+2*N, E)
	add(at+"dt_proj.weight", normal(0, fan(R, 1)), E, R)
	// As Mamba is initialised: steps from 0.001 to 0.1 and A = -1 … -N, here with some noise.
	add(at+"dt_proj.bias", timeStep, E)
	add(at+"A_log", func(rng *rand.Rand, i int) float64 {
		return math.Log(float64(i%N+1)) + 0.1*rng.NormFloat64()
	}, E, N)
	add(at+"D", normal(1, 0.1), E)
	// Of the embeddings' size, or the tokens would drown in the residual.
	add(at+"out_proj.weight", normal(0, fan(E, 4)*fan(d, 1)), d, E)
	if c.Bias {
		add(at+"in_proj.bias", normal(0, 0.1), 2*E)
		add(at+"out_proj.bias", normal(0, fan(d, 0.1)), d)
	}
	if c.ConvBias {
		add(at+"conv1d.bias", normal(0, 0.1), E)
	}
}

// timeStep draws what softplus makes a step from 0.001 to 0.1.
func timeStep(rng *rand.Rand, _ int) float64 {
	step := math.Exp(math.Log(0.001) + rng.Float64()*math.Log(100))
	return math.Log(math.Expm1(step))
}

func randomMemory(c Config, l int, at string, add adder) {
	add(at+"note_score.weight", normal(0, fan(c.Hidden, 3)), c.Hidden)
	add(at+"note_score.bias", normal(threshold(c.NoteThreshold), 0.1), 1)
	add(at+"note_proj.weight", normal(0, fan(c.Hidden, 1)), c.Summary, c.Hidden)
	add(at+"state_score.weight", normal(0, fan(c.Inner, stateGain)), c.Inner)
	add(at+"state_score.bias", normal(threshold(c.StateThreshold), 0.1), 1)
	if c.Triggered(l) {
		add(at+"layer_score.weight", normal(0, fan(c.Inner, stateGain)), c.Inner)
		add(at+"layer_score.bias", normal(threshold(c.LayerThreshold), 0.1), 1)
	}
	randomAttention(c, at+"token_attn.", add)
	if c.CrossLayer(l) {
		randomAttention(c, at+"layer_attn.", add)
	}
}

// stateGain makes up for the size of a state's mean over N.
const stateGain = 30

// threshold is the score whose sigmoid is t; 0 when every or no score is above t.
func threshold(t float64) float64 {
	if t <= 0 || t >= 1 {
		return 0
	}
	return math.Log(t / (1 - t))
}

func randomAttention(c Config, at string, add adder) {
	d, S := c.Hidden, c.Summary
	add(at+"q_proj.weight", normal(0, fan(d, 2)), S, d)
	add(at+"k_proj.weight", normal(0, fan(S, 1)), S, S)
	add(at+"v_proj.weight", normal(0, fan(S, 1)), S, S)
	add(at+"o_proj.weight", normal(0, fan(S, 1)), d, S)
	if c.Gated() {
		add(at+"gate.weight", normal(0, 1), d)
		add(at+"gate.bias", normal(0, 0.5), d)
	}
}
