package memmamba

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// randomTransformer opens a small Transformer for so many positions.
func randomTransformer(t *testing.T, positions, chunk int) *Model {
	t.Helper()
	dir, c := t.TempDir(), refmodel.DefaultTransformer()
	c.Layers, c.Hidden, c.Heads, c.Rotary, c.Vocab, c.Positions = 2, 24, 2, 0.5, 50, positions
	if err := refmodel.WriteRandomTransformer(dir, c, refmodel.Random{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	return openModel(t, dir, Options{Chunk: chunk})
}

func feed(t *testing.T, s *State, tokens []int32) {
	t.Helper()
	if _, err := s.model.Forward(context.Background(), s, tokens); err != nil {
		t.Fatal(err)
	}
}

// TestCacheGrows: a state takes more memory the longer its sequence, and nothing is lost when it moves, nor
// in a branch, nor in a saved state that another takes in at once.
func TestCacheGrows(t *testing.T) {
	m := randomTransformer(t, 3000, 64)
	tokens := refmodel.RandomTokens(refmodel.Config{Vocab: 50}, 1, 1100)
	use := m.Memory()
	grown, whole, restored := newState(t, m), newState(t, m), newState(t, m)
	if grown.Bytes() != use.State || use.StateToken != 2*2*2*16*4 || use.State != firstRows*use.StateToken {
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
	data, err := grown.MarshalBinary()
	if err == nil {
		err = restored.UnmarshalBinary(data)
	}
	if err != nil {
		t.Fatal(err)
	}
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
	most := int64(m.Device().Limits.MaxStorageBufferRange) / m.config.rowBytes()
	if err := s.reserve(most + 1); err == nil || !strings.Contains(err.Error(), "the device allows") || s.cache.rows() != 320 {
		t.Errorf("keys of %d tokens in one binding: %v", most+1, err)
	}
}

// TestCountsOfATransformer: kernels of a token.
func TestCountsOfATransformer(t *testing.T) {
	m := randomTransformer(t, 300, 64)
	if n := m.programs.step.Dispatches(); n > 9*2+3 {
		t.Errorf("%d dispatches a token for two layers, want at most nine a layer and three", n)
	}
	if err := m.ForwardTapped(context.Background(), newState(t, m), []int32{1}, nil); err == nil || !strings.Contains(err.Error(), "gpt_neox has no state space") {
		t.Errorf("looked into a Transformer: %v", err)
	}
}

// TestTransformerConfig: defaults are Hugging Face's, newer keys are taken, and what cannot be is named.
func TestTransformerConfig(t *testing.T) {
	c, err := ParseConfig("c", []byte(`{"model_type": "gpt_neox"}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.HiddenSize != 6144 || c.NumHiddenLayers != 44 || c.VocabSize != 50432 || c.IntermediateSize != 24576 || c.TieWordEmbeddings ||
		c.EOS[0] != 2 || c.heads().Count != 64 || c.rotary() != 24 || !c.Transformer.Parallel || !c.Transformer.AttentionBias || c.maxTokens() != 2048 {
		t.Errorf("%+v %+v", c, c.Transformer)
	}
	c, err = ParseConfig("c", []byte(`{"model_type": "gpt_neox", "rope_scaling": null, "rope_parameters": {"rope_type": "default", "rope_theta": 500, "partial_rotary_factor": 0.5}}`))
	if err != nil || c.rotary() != 48 || c.Transformer.RotaryBase != 500 {
		t.Errorf("%+v, %v", c.Transformer, err)
	}
	for keys, says := range map[string]string{
		`"hidden_act": "gelu_new"`:                                  `hidden_act "gelu_new" is not supported (gelu is)`,
		`"num_attention_heads": 7`:                                  "hidden_size 6144 is no multiple of num_attention_heads 7",
		`"num_attention_heads": 0`:                                  "num_attention_heads 0 is not within 1 to 6144",
		`"num_attention_heads": 8`:                                  "makes heads of 768, more than 256",
		`"rotary_pct": 1.5`:                                         "rotary_pct 1.5 is not within 0 to 1",
		`"rotary_pct": 0.97`:                                        "turns 93 numbers of a head, which are not pairs",
		`"rotary_emb_base": 0`:                                      "rotary_emb_base 0 is not within 1 to 1e12",
		`"max_position_embeddings": 0`:                              "max_position_embeddings 0 is not within 1 to",
		`"layer_norm_eps": -1`:                                      "layer_norm_eps -1 is not a small positive number",
		`"rope_scaling": {"type": "linear", "factor": 2}`:           `rope_scaling: rope_type "linear" is not supported`,
		`"rope_parameters": {"rope_type": "yarn"}`:                  `rope_parameters: rope_type "yarn" is not supported`,
		`"rotary_pct": "all"`:                                       "rotary_pct: a string where a number is expected",
		`"use_parallel_residual": 1`:                                "use_parallel_residual: a number where true or false is expected",
		`"intermediate_size": 0, "max_position_embeddings": 100000`: "intermediate_size 0 is not within",
	} {
		_, err := ParseConfig("c", []byte(`{"model_type": "gpt_neox", `+keys+`}`))
		if err == nil || !strings.HasPrefix(err.Error(), "c: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", keys, err, says)
		}
	}
}

// TestBuffers: what older checkpoints keep beside the weights is no weight.
func TestBuffers(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(goldenDir, "neox-parallel", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"gpt_neox.layers.0.attention.bias": true, "gpt_neox.layers.3.attention.masked_bias": true,
		"gpt_neox.layers.1.attention.rotary_emb.inv_freq": true, "gpt_neox.layers.0.attention.dense.bias": false,
		"gpt_neox.layers.0.attention.query_key_value.bias": false, "gpt_neox.embed_in.weight": false,
	} {
		if IsBuffer(name) != want || !strings.Contains(string(data), `"`+name+`"`) {
			t.Errorf("%s: is a buffer: %v", name, IsBuffer(name))
		}
	}
}

// TestTransformerPasses: no pass needs too large a table, nor at the end of a long sequence too much work.
func TestTransformerPasses(t *testing.T) {
	for _, test := range []struct{ d, heads, layers, positions, table, end int }{
		{64, 1, 24, 65536, 512, 2730}, {2560, 32, 32, 2048, 512, 1638}, {4096, 32, 48, 1 << 17, 248, 16}, {2048, 16, 24, 1 << 20, 62, 16},
	} {
		c := Config{HiddenSize: test.d, NumHiddenLayers: test.layers, Transformer: &TransformerConfig{Heads: test.heads, MaxPositions: test.positions}}
		if table, end := c.passTokens(512), c.tokensAt(int64(test.positions-1)); table != test.table || end != test.end || c.tokensAt(0) < 512 {
			t.Errorf("%+v: %d tokens, %d at the end, %d at the beginning", test, table, end, c.tokensAt(0))
		}
	}
}

// TestQuantizedTransformer holds quantized Transformers to the same with the numbers that the quantized
// weights stand for, in F32: the goldens hold those.
func TestQuantizedTransformer(t *testing.T) {
	for _, name := range []string{"neox-f16", "neox-sequential-odd"} {
		dir := filepath.Join(goldenDir, name)
		g, file := readGolden(t, dir), quantized(t, dir)
		want := allLogits(t, openModel(t, dequantized(t, dir, file), Options{}), g.tokens)
		if far(want, g.logits) == "" {
			t.Errorf("%s: quantizing changed nothing", name)
		}
		for _, m := range []*Model{openModel(t, file, Options{}), openModel(t, dir, Options{Chunk: 40, Quantize: Q8_0})} {
			if bad := far(allLogits(t, m, g.tokens), want); bad != "" {
				t.Errorf("%s, chunks of %d: %s", name, m.Chunk(), bad)
			}
		}
	}
}

// allLogits are those after each of the tokens.
func allLogits(t *testing.T, m *Model, tokens []int32) (all []float32) {
	t.Helper()
	err := m.ForwardAll(context.Background(), newState(t, m), tokens, func(_ int, logits []float32) error {
		all = append(all, logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// dequantized writes a quantized model in F32 with the config of the one it came from.
func dequantized(t *testing.T, dir, file string) string {
	t.Helper()
	return rewritten(t, configOf(t, dir), file, func(from *checkpoint.Tensors) (tensors []safetensors.Out, err error) {
		for _, name := range from.Names() {
			if IsBuffer(name) {
				continue
			}
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
