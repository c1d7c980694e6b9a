package gguf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/tokenizer"
)

// configOf is the config.json of a file.
func configOf(t *testing.T, meta []Entry) map[string]any {
	t.Helper()
	data, err := opened(t, map[string][]byte{"x.gguf": build(meta, weights())}).Config()
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestConfig: the config is that of the architecture, and what follows from the vocabulary.
func TestConfig(t *testing.T) {
	want := map[string]any{"layers": 1., "vocab_size": 6., "tie_word_embeddings": true, "bos_token_id": 3., "eos_token_id": []any{4., 5.}}
	if got := configOf(t, slices.Concat(sizes(), words())); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestEnds: ends of a text and of a turn, by their keys and by the names of control tokens.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		more []Entry
		want []any
	}{
		{nil, []any{4., 5.}},
		{[]Entry{{"tokenizer.ggml.eot_token_id", uint32(1)}, {"tokenizer.ggml.eom_token_id", uint32(2)}}, []any{4., 1., 2., 5.}},
		{[]Entry{{"tokenizer.ggml.eot_token_id", uint32(4)}, {"tokenizer.ggml.eom_token_id", uint32(math.MaxUint32)}}, []any{4., 5.}},
	} {
		if got := configOf(t, slices.Concat(sizes(), words(c.more...)))["eos_token_id"]; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, want %v", c.more, got, c.want)
		}
	}
	plain := words()
	plain[3] = Entry{"tokenizer.ggml.token_type", []int32{1, 1, 1, 3, 3, 4}} // <|im_end|> is user-defined
	if got := configOf(t, slices.Concat(sizes(), plain))["eos_token_id"]; !reflect.DeepEqual(got, []any{4.}) {
		t.Errorf("a token that is none of control ends a text: %v", got)
	}
}

// TestTensors: names and shapes are those of the architecture, and logarithms are taken.
func TestTensors(t *testing.T) {
	all, err := opened(t, map[string][]byte{"x.gguf": build(sizes(), weights())}).Tensors()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]int{"embeddings": {6, 4}, "log": {2, 3}, "flat log": {2}, "flattened": {8}, "tapped": {8, 1, 2}, "rope.freqs": {2}}
	got := map[string][]int{}
	for _, name := range all.Names() {
		x, _ := all.Tensor(name)
		got[name] = x.Shape
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for name, want := range map[string][]float64{"log": {1, 0.5, 3, 1, 0.5, 0}, "flat log": {2, 4}} {
		x, _ := all.Tensor(name)
		logs, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if d := float64(logs[i]) - math.Log(w); math.Abs(d) > 1e-7 && !math.IsInf(math.Log(w), -1) || w == 0 && logs[i] > -math.MaxFloat32 {
				t.Errorf("%s: %v, want the logarithms of %v", name, logs, want)
				break
			}
		}
	}
}

// TestRefuses: what is wrong with a file is told with its name.
func TestRefuses(t *testing.T) {
	rising, strange := weights(), weights()
	rising[1].data = numbers(-1, 0.5, -3, -1, -1, -1)
	strange[3].typ, strange[3].dims = 18, []uint64{256, 1}
	config := func(src checkpoint.Source) error { _, err := src.Config(); return err }
	numbers := func(src checkpoint.Source) error {
		all, err := src.Tensors()
		if err == nil {
			x, _ := all.Tensor("log")
			_, err = x.Float32s()
		}
		return err
	}
	with := func(v any) []byte { return build([]Entry{{architectureKey, fake}, {"fake.block_count", v}}, weights()) }
	for _, c := range []struct {
		want string
		data []byte
		ask  func(checkpoint.Source) error
	}{
		{`m/x.gguf: general.architecture: "llama" is not known (fake are)`, build([]Entry{{architectureKey, "llama"}}, nil), config},
		{`m/x.gguf: general.architecture: is missing`, build(words(), nil), config},
		{`m/x.gguf: general.architecture: is 5 of kind uint8, not a string`, build([]Entry{{architectureKey, uint8(5)}}, nil), config},
		{`m/x.gguf: fake.block_count: is missing`, build([]Entry{{architectureKey, fake}}, weights()), config},
		{`m/x.gguf: fake.block_count: is a value of kind string, not a whole number`, with("1"), config},
		{`m/x.gguf: fake.block_count: -1 is not within 0 to 2147483647`, with(int32(-1)), config},
		{`m/x.gguf: tensor token_embd.weight: is missing`, build(sizes(), nil), config},
		{`tensor log: a: row 0, column 1 is 0.5; there is no log(-a) of what is above 0`, build(sizes(), rising), numbers},
		{`m/x.gguf: tensor flat: type IQ3_XXS is not supported (` + readable() + ` are)`, build(sizes(), strange), numbers},
		{`m/x.gguf: split.count: the file is one of 3, which must be called NAME-00001-of-00003.gguf and so on`,
			build(sizes(Entry{"split.count", uint16(3)}), weights()), config},
	} {
		if err := c.ask(opened(t, map[string][]byte{"x.gguf": c.data})); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

// shards cuts a model into files, the first without tensors.
func shards() map[string][]byte {
	files, tensors := map[string][]byte{}, weights()
	for i, part := range [][]spec{nil, tensors[:3], tensors[3:]} {
		meta := []Entry{{"split.no", uint16(i)}, {"split.count", uint16(3)}, {"split.tensors.count", int32(len(tensors))}}
		if i == 0 {
			meta = slices.Concat(sizes(), words(), meta)
		}
		files[fmt.Sprintf("x-%05d-of-00003.gguf", i+1)] = build(meta, part)
	}
	return files
}

// TestSets: the files of a set are one model, by the name of any of them and in a folder.
func TestSets(t *testing.T) {
	dir, files := t.TempDir(), shards()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "x-00001-of-00003.gguf"), filepath.Join(dir, "x-00003-of-00003.gguf")} {
		src, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		all, err := src.Tensors()
		if err != nil || len(all.Names()) != len(weights()) {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := src.Config(); err != nil {
			t.Error(err)
		}
		if err := errors.Join(src.Close(), src.Close()); err != nil {
			t.Error(err)
		}
		if _, err := src.Config(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("config of a closed source: %v", err)
		}
	}
	if got := filepath.Base(pathOf(t, dir)); got != "x-00001-of-00003.gguf" {
		t.Errorf("errors call it %s", got)
	}
	delete(files, "x-00002-of-00003.gguf")
	if _, err := opened(t, files).Tensors(); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "m/x-00002-of-00003.gguf: ") {
		t.Errorf("a file of the set is missing: %v", err)
	}
	files["x-00002-of-00003.gguf"] = files["x-00003-of-00003.gguf"]
	if _, err := opened(t, files).Tensors(); err == nil || err.Error() != "m/x-00002-of-00003.gguf: split.no: 2, by its name it is number 1" {
		t.Errorf("a file of the set is another: %v", err)
	}
}

// pathOf is what errors call the file of a model that is open.
func pathOf(t *testing.T, path string) string {
	src, err := checkpoint.Open(path)
	if err == nil {
		defer src.Close()
		_, err = src.Config()
	}
	if err != nil {
		t.Fatal(err)
	}
	return src.Path("config.json")
}

// TestPlaces: a file by its first bytes, and a folder with more than one model.
func TestPlaces(t *testing.T) {
	data := build(slices.Concat(sizes(), words()), weights())
	blob := filepath.Join(t.TempDir(), "sha256-1234")
	if err := os.WriteFile(blob, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := pathOf(t, blob); got != blob {
		t.Errorf("errors call it %s", got)
	}
	two := opened(t, map[string][]byte{"a.gguf": data, "b.gguf": data, "config.json": []byte("{}")})
	if _, err := two.Config(); err == nil || err.Error() != "m: 2 models lie here (a.gguf, b.gguf); name the file of one" {
		t.Errorf("%v", err)
	}
}

// TestSmallFiles: the tokenizer, its settings and the chat template come from the metadata.
func TestSmallFiles(t *testing.T) {
	src := opened(t, map[string][]byte{"x.gguf": build(words(Entry{"tokenizer.chat_template", "{{ x }}"}, Entry{"tokenizer.ggml.add_bos_token", true},
		Entry{"tokenizer.ggml.padding_token_id", uint32(77)}), nil)})
	for name, want := range map[string]string{
		"chat_template.jinja":   "{{ x }}",
		"tokenizer_config.json": "{\n  \"add_bos_token\": true,\n  \"bos_token\": \"\\u003cs\\u003e\",\n  \"eos_token\": \"\\u003ce\\u003e\",\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}",
	} {
		if data, err := src.File(name); err != nil || string(data) != want {
			t.Errorf("%s: %s, %v", name, data, err)
		}
	}
	if _, err := src.File("tokenizer.model"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if names, err := src.Others(); err != nil || !slices.Equal(names, []string{"chat_template.jinja", "tokenizer.json", "tokenizer_config.json"}) {
		t.Errorf("%v, %v", names, err)
	}
	own, err := src.(*source).Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	written, err := tokenizer.Open(checkpoint.Files(src), src.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"abc", "c<s>b"} {
		a, _ := own.Encode(text)
		b, _ := written.Encode(text)
		if len(a) < len(text)/2 || !slices.Equal(a, b) {
			t.Errorf("%s is %v, and %v by the files", text, a, b)
		}
	}
	said := src.(checkpoint.Warner).Warnings()
	if !slices.Equal(said, []string{"m/x.gguf: tokenizer.ggml.padding_token_id 77 is ignored: there are 6 tokens"}) {
		t.Errorf("%q", said)
	}
	bare := opened(t, map[string][]byte{"x.gguf": build(nil, nil)})
	if _, err := bare.(*source).Tokenizer(); err == nil || err.Error() != "m/x.gguf: tokenizer.ggml.model: the file has no tokenizer" {
		t.Errorf("%v", err)
	}
	if _, err := bare.File("chat_template.jinja"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
