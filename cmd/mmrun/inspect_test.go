package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/memmamba"
)

// inspected is what inspect prints with --json, read as a script would.
type inspected struct {
	Architecture map[string]any         `json:"architecture"`
	Quantization string                 `json:"quantization"`
	Widened      map[string]int         `json:"widened"`
	Memory       *memmamba.MemoryConfig `json:"memory"`
	Transformer  *memmamba.Transformer  `json:"transformer"`
	Parameters   int64                  `json:"parameters"`
	WeightBytes  int64                  `json:"weight_bytes"`
	StateBytes   map[string]int64       `json:"state_bytes"`
	Device       *string                `json:"device"`
	DeviceMemory *memoryReport          `json:"device_memory"`
	NotMeasured  string                 `json:"not_measured"`
	Tensors      []tensorReport         `json:"tensors"`
}

func inspectJSON(t *testing.T, args ...string) (in inspected) {
	t.Helper()
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"inspect", "-q", "--json"}, args...)...)), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// wantState holds the sizes of a state to what they should be.
func wantState(t *testing.T, got, want map[string]int64) {
	t.Helper()
	for key, size := range want {
		if has, ok := got[key]; !ok || has != size {
			t.Errorf("state_bytes: %s is %d, want %d", key, has, size)
		}
	}
	if len(got) != len(want) {
		t.Errorf("state_bytes %v, want %v", got, want)
	}
}

func TestInspect(t *testing.T) {
	in := inspectJSON(t, "--model", goldenDir("memmamba-token"))
	// 4 layers, E 64, N 16, K 4, P 7, S 16, W 1; numbers of 4 bytes, a note has S+2.
	want := map[string]int64{"conv": 4 * 4 * 64 * 3, "h": 4 * 4 * 64 * 16, "pools": 4 * 4 * 7 * 18, "pending_notes": 4 * 4 * 18}
	want["total"] = want["conv"] + want["h"] + want["pools"] + want["pending_notes"]
	wantState(t, in.StateBytes, want)
	if in.Parameters*4 != in.WeightBytes || len(in.Tensors) != 86 || in.Memory == nil || in.Memory.PoolSize != 7 {
		t.Errorf("%d parameters in %d bytes and %d tensors, memory %+v", in.Parameters, in.WeightBytes, len(in.Tensors), in.Memory)
	}
	if in.Device == nil || in.DeviceMemory == nil || in.DeviceMemory.State < want["total"] || in.DeviceMemory.Weights < in.WeightBytes {
		t.Errorf("device memory %+v", in.DeviceMemory)
	}
	text := succeed(t, "inspect", "-q")
	for _, line := range []string{"architecture  memmamba: ", "\nmemory        pool P ", "\nbackbone.norm_f.weight ", "tied head, vocabulary 257\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("text does not say %q:\n%s", line, text)
		}
	}
	cmd := command("inspect", "--json")
	cmd.Env = append(cmd.Env, "VK_ICD_FILENAMES=/nonexistent", "VK_DRIVER_FILES=/nonexistent")
	o := finish(t, cmd, "")
	var without inspected
	if err := json.Unmarshal([]byte(o.stdout), &without); err != nil || o.status != 0 {
		t.Fatalf("without a device: status %d, %v, %s", o.status, err, o.stderr)
	}
	if without.Device != nil || without.DeviceMemory != nil || without.NotMeasured == "" {
		t.Errorf("without a device: %+v", without.DeviceMemory)
	}
}

func TestInspectTransformer(t *testing.T) {
	in := inspectJSON(t, "--model", goldenDir("neox-parallel"))
	// 4 layers, d 64, and 240 positions; masks and the like are not among the tensors.
	const token = 2 * 4 * 4 * 64
	wantState(t, in.StateBytes, map[string]int64{"per_token": token, "total": 240 * token})
	if in.Transformer == nil || in.Transformer.Heads != 4 || in.Parameters*4 != in.WeightBytes || len(in.Tensors) != 4*12+4 {
		t.Errorf("%+v, %d tensors", in.Transformer, len(in.Tensors))
	}
	if in.DeviceMemory == nil || in.DeviceMemory.StateToken != token || in.DeviceMemory.State != 256*token {
		t.Errorf("device memory %+v", in.DeviceMemory)
	}
	text := succeed(t, "inspect", "--model", goldenDir("neox-sequential-odd"))
	for _, line := range []string{"architecture  gpt_neox: 3 layers, d 30, E 50, 3 heads, 1 of each turned, attention before MLP, separate head, vocabulary 97\n",
		"state         keys and values, 720 B a token; 180 KiB for 256 tokens, the most\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("text does not say %q:\n%s", line, text)
		}
	}
}

// TestInspectKeys: scripts find what they look for.
func TestInspectKeys(t *testing.T) {
	space := []string{"model_type", "num_hidden_layers", "hidden_size", "intermediate_size", "state_size", "conv_kernel", "time_step_rank", "vocab_size", "tie_word_embeddings", "eos_token_id"}
	for model, keys := range map[string][]string{"mamba-tiny": space, "memmamba-fifo": space,
		"neox-f16": {"model_type", "num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "tie_word_embeddings", "eos_token_id"}} {
		in := inspectJSON(t, "--model", goldenDir(model))
		for _, key := range keys {
			if in.Architecture[key] == nil {
				t.Errorf("%s: architecture has no %s: %v", model, key, in.Architecture)
			}
		}
		if in.Architecture["state_size"] != nil {
			if pools, ok := in.StateBytes["pools"]; !ok || (pools > 0) != (in.Memory != nil) {
				t.Errorf("%s: state_bytes %v", model, in.StateBytes)
			}
		}
		if memory, transformer := strings.HasPrefix(model, "memmamba"), strings.HasPrefix(model, "neox"); (in.Memory != nil) != memory || (in.Transformer != nil) != transformer {
			t.Errorf("%s: memory %v, transformer %v", model, in.Memory, in.Transformer)
		}
	}
	if text := succeed(t, "inspect", "-q", "--model", goldenDir("mamba-tiny")); strings.Contains(text, "pools") || strings.Contains(text, "memory ") {
		t.Errorf("the text tells of a memory:\n%s", text)
	}
}

func TestTensorsByLayer(t *testing.T) {
	want := []string{"head", "layers.2.A", "layers.2.B", "layers.10.A", "norm"}
	got := slices.Clone(want)
	slices.Sort(got)
	if slices.SortFunc(got, byLayer); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
