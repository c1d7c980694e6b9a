package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBadInput(t *testing.T) {
	empty, nothing := t.TempDir(), filepath.Join(t.TempDir(), "nothing")
	text := file(t, "text", "just text")
	mamba := goldenDir("mamba-tiny")
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"empty prompt", []string{"generate", "--prompt", ""}, "--prompt: the prompt is empty"},
		{"empty standard input", []string{"generate", "-"}, "standard input: the prompt is empty"},
		{"prompt of bytes", []string{"generate", "a\xffb"}, "not UTF-8 at byte 1"},
		{"no prompt file", []string{"generate", "--prompt-file", nothing}, nothing + ": no such file"},
		{"prompt file is a directory", []string{"generate", "--prompt-file", empty}, empty + ": is a directory"},
		{"no model", []string{"generate", "x", "--model", nothing}, nothing + ": no such file or directory"},
		{"model is a file", []string{"generate", "x", "--model", text}, text + ": there is no model, which is a "},
		{"empty model", []string{"verify", "--model", empty, "--golden", text}, empty + ": there is no model"},
		{"no tokenizer", []string{"generate", "x", "--model", mamba}, tokenizerName + ": no such file"},
		{"broken tokenizer", []string{"tokenize", "x", "--tokenizer", text}, text},
		{"unknown device", []string{"generate", "x", "--device", "Voodoo"}, `"Voodoo"`},
		{"no state", []string{"generate", "--state-load", nothing}, nothing + ": no such file"},
		{"no state of ours", []string{"generate", "--state-load", text}, text},
		{"state into nowhere", []string{"generate", "x", "--state-save", filepath.Join(nothing, "s")}, "no such file"},
		{"decode beyond the vocabulary", []string{"tokenize", "--decode", "1,257"}, "token 1 is 257, outside the vocabulary of 257"},
		{"token beyond the vocabulary", []string{"logits", "--model", mamba, "--tokens", "1,256", "--out", out},
			"token 1 is 256, outside the vocabulary of 256"},
		{"no tokens", []string{"logits", "--model", mamba, "--tokens", "", "--out", out}, "there are no tokens"},
		{"out is a directory", []string{"logits", "--model", mamba, "--tokens", "1", "--out", empty}, empty + ": not a regular file"},
		{"no golden", []string{"verify", "--model", mamba, "--golden", nothing}, nothing + ": no such file"},
		{"golden of text", []string{"verify", "--model", mamba, "--golden", text}, text},
		{"golden without tokens", []string{"verify", "--model", mamba, "--golden", filepath.Join(mamba, "model.safetensors")}, `no tensor "tokens"`},
		{"golden of another model", []string{"verify", "--model", goldenDir("memmamba-token"), "--golden", goldenFile("mamba-tiny")}, "tokens"},
		{"golden with a memory", []string{"verify", "--model", mamba, "--golden", goldenFile("memmamba-fifo")}, "importance.0: the model has nothing to compare it with"},
		{"convert onto something", []string{"convert", "--from", mamba, "--to", empty}, empty + ": already exists"},
		{"quantize onto something", []string{"quantize", "--to", "q8_0", "--out", empty}, empty + ": already exists"},
		{"quantize no model", []string{"quantize", "--model", empty, "--to", "q8_0", "--out", nothing}, empty + ": there is no model"},
		{"convert what has a memory", []string{"convert", "--from", goldenDir("memmamba-fifo"), "--to", nothing}, `model_type "memmamba" cannot be converted (falcon_mamba, mamba, mamba2 can)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantError(t, execute(t, "", append(test.args, quietIfDevice(test.args[0])...)...), exitFailure, test.says)
			for _, path := range []string{out, nothing} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s was written", path)
				}
			}
		})
	}
}

// quietIfDevice keeps the note about a CPU device off a line that is looked at.
func quietIfDevice(command string) []string {
	if command == "tokenize" || command == "convert" || command == "quantize" {
		return nil
	}
	return []string{"--quiet"}
}

func TestBadModel(t *testing.T) {
	config := func(from, to string) func(dir string) {
		return func(dir string) { substitute(t, filepath.Join(dir, configName), from, to) }
	}
	weights := func(change func(data []byte) []byte) func(dir string) {
		return func(dir string) {
			path := filepath.Join(dir, "model.safetensors")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, change(data))
		}
	}
	for _, test := range []struct {
		name  string
		spoil func(dir string)
		says  string
	}{
		{"broken config", config("{", "["), configName},
		{"unknown model_type", config(`"mamba"`, `"transformer"`), `model_type "transformer"`},
		{"size of another kind", config(`"hidden_size": 64`, `"hidden_size": "64"`), "hidden_size"},
		{"size out of range", config(`"state_size": 16`, `"state_size": -1`), "state_size -1"},
		{"size that does not fit", config(`"hidden_size": 64`, `"hidden_size": 65`), "backbone."},
		{"missing layer", config(`"num_hidden_layers": 4`, `"num_hidden_layers": 5`), "backbone.layers.4"},
		{"no weights", func(dir string) { os.Remove(filepath.Join(dir, "model.safetensors")) }, "model.safetensors"},
		{"truncated weights", weights(func(b []byte) []byte { return b[:len(b)-10] }), "model.safetensors"},
		{"empty weights", weights(func([]byte) []byte { return nil }), "model.safetensors"},
		{"absurd header", weights(func(b []byte) []byte { b[5] = 0xff; return b }), "header length"},
		{"unknown dtype", weights(func(b []byte) []byte { return []byte(strings.Replace(string(b), `"F32"`, `"F33"`, 1)) }), `F33`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := modelDir(t, "mamba-tiny")
			test.spoil(dir)
			o := execute(t, "", "generate", "x", "-q", "--model", dir)
			wantError(t, o, exitFailure, test.says)
			if !strings.Contains(o.stderr, dir) {
				t.Errorf("%q does not name %s", o.stderr, dir)
			}
		})
	}
}

func substitute(t *testing.T, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s holds no %q", path, from)
	}
	write(t, path, []byte(strings.Replace(string(data), from, to, 1)))
}

func TestNoDevice(t *testing.T) {
	for _, args := range [][]string{{"devices"}, {"devices", "--json"}, {"generate", "x"}} {
		cmd := command(args...)
		cmd.Env = append(cmd.Env, "VK_ICD_FILENAMES=/nonexistent", "VK_DRIVER_FILES=/nonexistent")
		wantError(t, finish(t, cmd, ""), exitFailure, "no Vulkan device")
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	cmd := command("tokenize", "x")
	cmd.Stdout = full
	said := new(strings.Builder)
	cmd.Stderr = said
	err = cmd.Run()
	if cmd.ProcessState.ExitCode() != exitFailure || !strings.Contains(said.String(), "no space left on device") {
		t.Errorf("status %d (%v), standard error %q", cmd.ProcessState.ExitCode(), err, said)
	}
}

// A tensorEntry is a tensor in the header of a safetensors file.
type tensorEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// editHeader changes the tensors in the header of a safetensors file and leaves its data alone.
func editHeader(t *testing.T, path string, edit func(tensors map[string]*tensorEntry)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := 8 + binary.LittleEndian.Uint64(data)
	var all map[string]json.RawMessage
	tensors := map[string]*tensorEntry{}
	if err := json.Unmarshal(data[8:size], &all); err != nil {
		t.Fatal(err)
	}
	delete(all, "__metadata__")
	for name, raw := range all {
		tensors[name] = &tensorEntry{}
		if err := json.Unmarshal(raw, tensors[name]); err != nil {
			t.Fatal(err)
		}
	}
	edit(tensors)
	write(t, path, append(headerOf(t, tensors), data[size:]...))
}

// headerOf is a safetensors file up to its data.
func headerOf(t *testing.T, tensors map[string]*tensorEntry) []byte {
	t.Helper()
	text, err := json.Marshal(tensors)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
}

func TestBadTensors(t *testing.T) {
	const embeddings, last = "backbone.embeddings.weight", "backbone.norm_f.weight"
	type header = map[string]*tensorEntry
	for _, test := range []struct {
		name string
		edit func(h header)
		says string
	}{
		{"missing", func(h header) { h["other"] = h[last]; delete(h, last) }, "tensor " + last + " is missing"},
		{"left out", func(h header) { delete(h, embeddings) }, "leave a hole from 0"},
		{"another shape", func(h header) { slices.Reverse(h[embeddings].Shape) }, "tensor " + embeddings + ": shape [64 256], the config asks for [256 64]"},
		{"another axis", func(h header) { h[last].Shape = []int64{64, 1} }, "tensor " + last + ": shape [64 1], the config asks for [64]"},
		{"more than its bytes", func(h header) { h[last].Shape[0]++ }, last + `": shape [65] of F32 is 260 bytes, data_offsets`},
		{"negative shape", func(h header) { h[last].Shape[0] = -64 }, last + `": shape: -64 is negative`},
		{"shape that overflows", func(h header) { h[last].Shape = []int64{1 << 62, 1 << 62} }, last + `": shape [4611686018427387904 4611686018427387904] of F32 overflows`},
		{"outside the file", func(h header) { h[last].Offsets[0] += 1 << 40; h[last].Offsets[1] += 1 << 40 }, last + `": data_offsets [`},
		{"backwards", func(h header) { slices.Reverse(h[last].Offsets[:]) }, "run backwards"},
		{"overlapping", func(h header) { h[last].Offsets = [2]int64{0, 256} }, "overlap tensor"},
		{"of whole numbers", func(h header) { h[last].DType = "I32" }, "tensor " + last + ": type I32 (F32, F16 and BF16 are supported)"},
		{"of no known type", func(h header) { h[last].DType = "F8_E4M3" }, "tensor " + last + ": type F8_E4M3 (F32, F16 and BF16 are supported)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := modelDir(t, "mamba-tiny")
			editHeader(t, filepath.Join(dir, "model.safetensors"), test.edit)
			o := execute(t, "", "generate", "x", "-q", "--model", dir)
			wantError(t, o, exitFailure, test.says)
			if !strings.Contains(o.stderr, dir) {
				t.Errorf("%q does not name %s", o.stderr, dir)
			}
		})
	}
}

func TestBadShards(t *testing.T) {
	for index, says := range map[string]string{
		``:                   "broken JSON at byte 0",
		`{"weight_map": []}`: "weight_map: array where an object of file names is expected",
		`{"metadata": {}}`:   "weight_map is missing or empty",
		`{"weight_map": {"a": "../model.safetensors"}}`: `weight_map: "a": "../model.safetensors" is not a plain file name`,
		`{"weight_map": {"a": "absent"}}`:               "absent: no such file or directory",
		`{"weight_map": {"a": "config.json"}}`:          "config.json: header length",
	} {
		t.Run(index, func(t *testing.T) {
			dir := modelDir(t, "mamba-tiny")
			if err := os.Rename(filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "shard")); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "model.safetensors.index.json"), []byte(index))
			o := execute(t, "", "generate", "x", "-q", "--model", dir)
			wantError(t, o, exitFailure, says)
			if !strings.Contains(o.stderr, dir) {
				t.Errorf("%q does not name %s", o.stderr, dir)
			}
		})
	}
}

// TestOutOfMemory opens a model of a terabyte, all of it a hole in a file: no device has that much.
func TestOutOfMemory(t *testing.T) {
	const vocab, d = 1 << 21, 1 << 17
	dir := modelDir(t, "mamba-tiny")
	write(t, filepath.Join(dir, configName), fmt.Appendf(nil,
		`{"model_type": "mamba", "vocab_size": %d, "hidden_size": %d, "intermediate_size": 8, "num_hidden_layers": 1, "state_size": 8, "time_step_rank": 8}`, vocab, d))
	tensors, at := map[string]*tensorEntry{}, int64(0)
	add := func(name string, shape ...int64) {
		size := int64(4)
		for _, n := range shape {
			size *= n
		}
		tensors["backbone."+name] = &tensorEntry{"F32", shape, [2]int64{at, at + size}}
		at += size
	}
	add("embeddings.weight", vocab, d)
	add("norm_f.weight", d)
	for name, shape := range map[string][]int64{
		"norm.weight": {d}, "mixer.in_proj.weight": {16, d}, "mixer.conv1d.weight": {8, 1, 4}, "mixer.conv1d.bias": {8}, "mixer.x_proj.weight": {24, 8},
		"mixer.dt_proj.weight": {8, 8}, "mixer.dt_proj.bias": {8}, "mixer.A_log": {8, 8}, "mixer.D": {8}, "mixer.out_proj.weight": {d, 8},
	} {
		add("layers.0."+name, shape...)
	}
	path := filepath.Join(dir, "model.safetensors")
	header := headerOf(t, tensors)
	write(t, path, header)
	if err := os.Truncate(path, int64(len(header))+at); err != nil {
		t.Fatal(err)
	}
	wantError(t, execute(t, "", "generate", "x", "-q", "--model", dir), exitFailure, "weights: out of device memory: asked for 1099511627776 bytes")
}

// TestNoLoader hides the loader behind files of its names that are empty.
func TestNoLoader(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"} {
		write(t, filepath.Join(dir, name), nil)
	}
	for _, args := range [][]string{{"devices"}, {"generate", "x"}, {"bench"}} {
		cmd := command(args...)
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+dir, "DYLD_LIBRARY_PATH="+dir)
		wantError(t, finish(t, cmd, ""), exitFailure, "no Vulkan loader (libvulkan.so.1): install libvulkan1")
	}
}
