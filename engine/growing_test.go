package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// randomTransformer opens a small Transformer for the given number of positions.
func randomTransformer(t *testing.T, positions, chunk int) *Model {
	t.Helper()
	dir, c := t.TempDir(), refmodel.DefaultTransformer()
	c.Layers, c.Hidden, c.Heads, c.Rotary, c.Vocab, c.Positions = 2, 24, 2, 0.5, 50, positions
	if err := refmodel.WriteRandomTransformer(dir, c, refmodel.Random{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	return openModel(t, dir, Options{Chunk: chunk})
}

// TestCacheGrows: a state takes more memory the longer its sequence, and nothing is lost when it moves, nor
// in a branch, nor in a saved state that another takes in at once.
func TestCacheGrows(t *testing.T) {
	m := randomTransformer(t, 3000, 64)
	tokens := refmodel.RandomTokens(refmodel.Config{Vocab: 50}, 1, 1100)
	use := m.Memory()
	grown, whole, restored := newState(t, m), newState(t, m), newState(t, m)
	if grown.Bytes() != use.State || use.StateToken != 2*2*2*16*4 || use.State != FirstTokens*use.StateToken {
		t.Errorf("a new state has %d bytes, told %d and %d a token", grown.Bytes(), use.State, use.StateToken)
	}
	feed(t, whole, tokens)
	for from := 0; from < len(tokens); from += 100 {
		feed(t, grown, tokens[from:from+99])
		feed(t, grown, tokens[from+99:from+100])
		branch, err := grown.Clone()
		if err != nil {
			t.Fatal(err)
		}
		feed(t, branch, []int32{7}) // which the sequence it came from does not see
		branch.Close()
	}
	compareStates(t, grown, whole)
	if want := 2048 * use.StateToken; grown.Bytes() != want {
		t.Errorf("%d tokens take %d bytes, want %d", len(tokens), grown.Bytes(), want)
	}
	data := save(t, grown)
	load(t, restored, data)
	if int64(len(data)) > m.MaxSavedBytes() {
		t.Errorf("a saved state has %d bytes, told to have %d at the most", len(data), m.MaxSavedBytes())
	}
	feed(t, grown, tokens[:300])
	feed(t, restored, tokens[:300])
	compareStates(t, restored, grown)
	if err := restored.Reset(); err != nil {
		t.Fatal(err)
	}
	feed(t, restored, tokens)
	compareStates(t, restored, whole)
}

// TestCacheEnds: a sequence takes as many tokens as the model has positions, and not one more.
func TestCacheEnds(t *testing.T) {
	const positions = 300
	m := randomTransformer(t, positions, 64)
	tokens := refmodel.RandomTokens(refmodel.Config{Vocab: 50}, 2, positions)
	s := newState(t, m)
	const says = "a sequence of 301 tokens is longer than the model's 300"
	if _, err := m.Forward(context.Background(), s, append(tokens, 1)); err == nil || err.Error() != says {
		t.Errorf("got %v, want %s", err, says)
	}
	feed(t, s, tokens)
	var got int
	var failed error
	for _, err := range m.Generate(context.Background(), s, nil, GenerateOptions{MaxTokens: 3, Stop: []int32{}}) {
		if failed = err; err == nil {
			got++
		}
	}
	if failed == nil || failed.Error() != says {
		t.Errorf("generated %d tokens after the last position, then %v, want %s", got, failed, says)
	}
	before, keys := s.Bytes(), m.Config().Parts()[0]
	if want := 320 * m.Memory().StateToken; before != want { // whole steps
		t.Errorf("%d positions take %d bytes, want %d", positions, before, want)
	}
	most := int64(m.Device().Limits.MaxStorageBufferRange) / int64(4*keys.Rows*keys.Cols)
	if err := s.Reserve(most + 1); err == nil || !strings.Contains(err.Error(), "the device allows") || s.Bytes() != before {
		t.Errorf("keys of %d tokens in one binding: %v, and %d bytes of %d", most+1, err, s.Bytes(), before)
	}
}

// TestBatchGrows: in a batch, too, sequences take more memory the longer they are, while others join and end, and
// those that reach the model's end are over; also where the host has a memory of its own.
func TestBatchGrows(t *testing.T) {
	const positions = 2*FirstTokens + 30
	m := randomTransformer(t, positions, 64)
	tokens := refmodel.RandomTokens(refmodel.Config{Vocab: 50}, 3, positions)
	var tasks []task
	for i, length := range []int{5, FirstTokens - 4, 2*FirstTokens + 25, positions, 2*FirstTokens - 3, 1} {
		o := GenerateOptions{MaxTokens: 12, Stop: []int32{}, Sample: ways[i%5]}
		if i == 0 {
			o.MaxTokens = 3 // its row grows while the step of others is under way
		}
		tasks = append(tasks, task{tokens[:length], o})
	}
	for _, unified := range []bool{true, false} {
		if !unified {
			separate(t, m)
		}
		b := newBatch(t, m, 3)
		before := b.Bytes()
		for i, text := range together(t, m, b, tasks, nil) {
			one := tasks[i]
			one.o.MaxTokens = min(one.o.MaxTokens, positions+1-len(one.prompt)) // the last of them is not fed
			if want := alone(t, m, one); !slices.Equal(text, want) {
				t.Errorf("unified %v: text %d is %v, want %v", unified, i, text, want)
			}
		}
		if b.Bytes() <= before {
			t.Errorf("the batch had %d bytes and has %d", before, b.Bytes())
		}
	}
}

// TestCountsOfATransformer: kernels of a token.
func TestCountsOfATransformer(t *testing.T) {
	m := randomTransformer(t, 300, 64)
	if n := m.Step().Dispatches(); n > 9*2+3 {
		t.Errorf("%d dispatches a token for two layers, want at most nine a layer and three", n)
	}
}

// TestBuffers: what older checkpoints keep beside the weights nobody asks for.
func TestBuffers(t *testing.T) {
	dir := filepath.Join(goldenDir, "neox-parallel")
	data, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	roles := rolesOf(t, configOf(t, dir))
	for name, want := range map[string]bool{
		"gpt_neox.layers.0.attention.bias": false, "gpt_neox.layers.3.attention.masked_bias": false,
		"gpt_neox.layers.1.attention.rotary_emb.inv_freq": false, "gpt_neox.layers.0.attention.dense.bias": true,
		"gpt_neox.layers.0.attention.query_key_value.bias": true, "gpt_neox.embed_in.weight": true,
	} {
		if _, asked := roles[name]; asked != want || !strings.Contains(string(data), `"`+name+`"`) {
			t.Errorf("%s: is asked for: %v", name, asked)
		}
	}
}

// TestQuantizedTransformer holds quantized Transformers to the same with the numbers that the quantized
// weights stand for, in F32: the goldens hold those.
func TestQuantizedTransformer(t *testing.T) {
	for _, name := range []string{"neox-f16", "neox-sequential-odd"} {
		dir := filepath.Join(goldenDir, name)
		g, file := readGolden(t, dir), quantized(t, dir)
		want := everyLogit(t, openModel(t, dequantized(t, dir, file), Options{}), g.tokens)
		if far(want, g.logits) == "" {
			t.Errorf("%s: quantizing changed nothing", name)
		}
		for _, m := range []*Model{openModel(t, file, Options{}), openModel(t, dir, Options{Chunk: 40, Quantize: "q8_0"})} {
			if bad := far(everyLogit(t, m, g.tokens), want); bad != "" {
				t.Errorf("%s, chunks of %d: %s", name, m.Chunk(), bad)
			}
		}
	}
}

// dequantized writes a quantized model in F32 with the config of the one it came from.
func dequantized(t *testing.T, dir, file string) string {
	t.Helper()
	roles := rolesOf(t, configOf(t, dir))
	return rewritten(t, configOf(t, dir), file, func(from *checkpoint.Tensors) (tensors []safetensors.Out, err error) {
		for name := range roles {
			x, _ := from.Tensor(name)
			numbers, err := x.Float32s()
			if err != nil {
				return nil, err
			}
			tensors = append(tensors, safetensors.OfFloat32(name, safetensors.F32, x.Shape, numbers))
		}
		return tensors, nil
	})
}
