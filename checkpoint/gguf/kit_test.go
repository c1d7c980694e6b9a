package gguf

import (
	"encoding/binary"
	"testing"
	"testing/fstest"

	"github.com/mmrun/mmrun/checkpoint"
)

// odd is a value that is written as it is, its kind with it.
type odd []byte

// spec is a tensor to write, of whatever dimensions and type. Its bytes are zeros of its size where there are none.
type spec struct {
	name string
	typ  dtype
	dims []uint64
	data []byte
}

// build writes a file, whether or not it makes sense.
func build(meta []Entry, tensors []spec) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte(magic), 3)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(tensors))), uint64(len(meta)))
	for _, e := range meta {
		b = appendText(b, e.Key)
		if v, ok := e.Value.(odd); ok {
			b = append(b, v...)
			continue
		}
		var err error
		if b, err = appendValue(b, e.Value); err != nil {
			panic(err)
		}
	}
	var numbers []byte
	for _, t := range tensors {
		b = le.AppendUint32(appendText(b, t.name), uint32(len(t.dims)))
		size := uint64(1)
		for _, n := range t.dims {
			b, size = le.AppendUint64(b, n), size*n
		}
		b = le.AppendUint64(le.AppendUint32(b, uint32(t.typ)), uint64(len(numbers)))
		if t.data == nil {
			l := layouts[t.typ]
			t.data = make([]byte, size/uint64(l.weights)*uint64(l.bytes))
		}
		numbers = append(numbers, t.data...)
		numbers = append(numbers, make([]byte, padding(len(numbers)))...)
	}
	b = append(b, make([]byte, padding(len(b)))...)
	return append(b, numbers...)
}

// numbers are the bytes of F32.
func numbers(all ...float32) (b []byte) {
	for _, x := range all {
		_, b = appendScalar(b, x)
	}
	return b
}

// fake is an architecture of one number and two tensors.
const fake = "fake"

func init() {
	Register(Architecture{Names: []string{fake},
		Config: func(f *Metadata) map[string]any { return map[string]any{"layers": f.Count("fake.block_count")} },
		Naming: func(_ *Metadata, tensor string) (Naming, bool) {
			n, ok := map[string]Naming{"token_embd.weight": {"embeddings", AsIs}, "a": {"log", Logarithm}, "flat a": {"flat log", FlatLogarithm},
				"flat": {"flattened", Flat}, "taps": {"tapped", Taps}}[tensor]
			return n, ok
		}})
}

// sizes are the metadata of a small model.
func sizes(more ...Entry) []Entry {
	return append([]Entry{{architectureKey, fake}, {"fake.block_count", uint32(1)}}, more...)
}

// words are the metadata of a tokenizer of a few tokens, of which the last is <|im_end|>.
func words(more ...Entry) []Entry {
	return append([]Entry{
		{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", "gpt-2"},
		{"tokenizer.ggml.tokens", []string{"a", "b", "c", "<s>", "<e>", "<|im_end|>"}},
		{"tokenizer.ggml.token_type", []int32{1, 1, 1, 3, 3, 3}},
		{"tokenizer.ggml.merges", []string{}},
		{"tokenizer.ggml.bos_token_id", uint32(3)}, {"tokenizer.ggml.eos_token_id", uint32(4)},
	}, more...)
}

// weights are the tensors of the small model.
func weights() []spec {
	return []spec{
		{name: "token_embd.weight", dims: []uint64{4, 6}, typ: typeF16},
		{name: "a", dims: []uint64{3, 2}, data: numbers(-1, -0.5, -3, -1, -0.5, 0)},
		{name: "flat a", dims: []uint64{1, 2}, data: numbers(-2, -4)},
		{name: "flat", dims: []uint64{4, 2}},
		{name: "taps", dims: []uint64{2, 8}},
		{name: "rope.freqs", dims: []uint64{2}, typ: 27},
	}
}

// opened is the source of the files of a folder in memory.
func opened(t *testing.T, files map[string][]byte) checkpoint.Source {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	src, err := checkpoint.OpenFS("m", fsys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}
