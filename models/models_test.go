package models

import (
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"slices"
	"testing"
)

// TestFilesEmbedded: the three files of a model directory and nothing else, no golden, take at most 16 MB.
func TestFilesEmbedded(t *testing.T) {
	var names []string
	var size int64
	err := fs.WalkDir(FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		names, size = append(names, name), size+info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{Bundled + "/config.json", Bundled + "/model.safetensors", Bundled + "/tokenizer.json"}
	if !slices.Equal(names, want) {
		t.Errorf("embedded %q, want %q", names, want)
	}
	if size > 16_000_000 {
		t.Errorf("embedded %d bytes, at most 16 MB", size)
	}
}

// TestTokenizerIsBytes: every vocabulary entry is one byte, in order, and the configuration's end
// token is the one special token after them.
func TestTokenizerIsBytes(t *testing.T) {
	var tokenizer struct {
		Model struct {
			Vocab  map[string]int
			Merges []string
		}
		Added []struct {
			ID      int
			Special bool
		} `json:"added_tokens"`
	}
	var config struct {
		Vocab int `json:"vocab_size"`
		End   int `json:"eos_token_id"`
	}
	read(t, Bundled+"/tokenizer.json", &tokenizer)
	read(t, Bundled+"/config.json", &config)
	if n := len(tokenizer.Model.Vocab); n != 256 || len(tokenizer.Model.Merges) != 0 {
		t.Errorf("%d symbols and %d merges, want 256 and 0", n, len(tokenizer.Model.Merges))
	}
	for symbol, id := range map[string]int{"A": 'A', "z": 'z', "Ġ": ' ', "Ċ": '\n'} {
		if got := tokenizer.Model.Vocab[symbol]; got != id {
			t.Errorf("symbol %q is token %d, want %d", symbol, got, id)
		}
	}
	if len(tokenizer.Added) != 1 || !tokenizer.Added[0].Special || tokenizer.Added[0].ID != 256 {
		t.Errorf("added tokens are %+v, want the special token 256", tokenizer.Added)
	}
	if config.Vocab != 257 || config.End != 256 {
		t.Errorf("vocab_size %d and eos_token_id %d, want 257 and 256", config.Vocab, config.End)
	}
}

// TestWeightsAreFinite: every weight is float16 and a number.
func TestWeightsAreFinite(t *testing.T) {
	data, err := FS.ReadFile(Bundled + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	var tensors map[string]struct{ Dtype string }
	if err := json.Unmarshal(data[8:8+n], &tensors); err != nil {
		t.Fatal(err)
	}
	delete(tensors, "__metadata__")
	if len(tensors) == 0 {
		t.Fatal("no tensors")
	}
	for name, tensor := range tensors {
		if tensor.Dtype != "F16" {
			t.Errorf("%s is %s, want F16", name, tensor.Dtype)
		}
	}
	const exponent = 0x7c00 // all ones: infinite or not a number
	for at := 8 + n; at+2 <= uint64(len(data)); at += 2 {
		if x := binary.LittleEndian.Uint16(data[at:]); x&exponent == exponent {
			t.Fatalf("the number at byte %d is %#04x, not finite", at, x)
		}
	}
}

// read decodes the JSON file name of FS into value.
func read(t *testing.T, name string, value any) {
	t.Helper()
	data, err := FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
