package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
)

// neox is the tokenizer of GPT-NeoX-20B, which the published Mamba checkpoints use.
var neox = sync.OnceValue(func() *Tokenizer {
	t, err := Parse("gpt-neox-20b.json", unzip("testdata/gpt-neox-20b.json.gz"))
	if err != nil {
		panic(err)
	}
	return t
})

func unzip(path string) []byte {
	packed, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return data
}

func TestNeoXVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/gpt-neox-20b-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Text string
		IDs  []int32
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		got, err := neox().Encode(v.Text)
		if err != nil || !slices.Equal(got, v.IDs) {
			t.Errorf("%q: got %v (%v), want %v", v.Text, got, err, v.IDs)
		}
	}
}
