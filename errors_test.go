package mmrun_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/vk"
)

// TestClosed: what is closed says so, and closing twice is fine.
func TestClosed(t *testing.T) {
	m, err := mmrun.Open(modelDir(t, refmodel.MemMamba, 1), mmrun.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, f := session(t, m), session(t, m)
	scheduler, err := m.NewScheduler(engine.SchedulerOptions{Places: 2})
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, prompt, warm(3, 1))
	write(t, f, prompt, warm(3, 1))
	request := engine.Request{Prompt: []int32{1}, LogProbs: -1}
	scheduler.Close()
	scheduler.Close()
	_, err = scheduler.Submit(t.Context(), request)
	wantIs(t, "a request to a closed scheduler", err, mmrun.ErrClosed)
	s.Close()
	s.Close()
	wantClosed(t, "a closed session", s)
	f.Close()
	for range 2 {
		if err := m.Close(); err != nil {
			t.Errorf("closing the model: %v", err)
		}
	}
	wantClosed(t, "a session of a closed model", f)
	_, err = m.NewSession()
	wantIs(t, "a session of a closed model", err, mmrun.ErrClosed)
	_, err = m.NewScheduler(engine.SchedulerOptions{Places: 1})
	wantIs(t, "a scheduler of a closed model", err, mmrun.ErrClosed)
}

// wantClosed checks that all that a session can do says that it is closed.
func wantClosed(t *testing.T, what string, s *mmrun.Session) {
	t.Helper()
	for _, prompt := range []string{prompt, ""} {
		_, err := collect(t.Context(), s, prompt, warm(3, 1))
		wantIs(t, what+" generates", err, mmrun.ErrClosed)
	}
	_, err := s.Fork()
	wantIs(t, what+" forks", err, mmrun.ErrClosed)
	_, err = s.MarshalBinary()
	wantIs(t, what+" is saved", err, mmrun.ErrClosed)
	wantIs(t, what+" is loaded", s.UnmarshalBinary(nil), mmrun.ErrClosed)
	wantIs(t, what+" is reset", s.Reset(), mmrun.ErrClosed)
}

// TestEmptyPrompt: there must be something to continue.
func TestEmptyPrompt(t *testing.T) {
	s := session(t, bundled(t))
	_, err := collect(t.Context(), s, "", warm(3, 1))
	wantIs(t, "no prompt", err, mmrun.ErrEmptyPrompt)
	write(t, s, prompt, warm(0, 1))
	if text := write(t, s, "", warm(3, 1)); text == "" {
		t.Error("a prompt was read, and nothing continues it")
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	_, err = collect(t.Context(), s, "", warm(3, 1))
	wantIs(t, "no prompt after a reset", err, mmrun.ErrEmptyPrompt)
	_, err = collect(t.Context(), s, "a\xffb", warm(3, 1))
	if err == nil || !strings.Contains(err.Error(), "not UTF-8") || s.Position() != 0 {
		t.Errorf("bytes that are no text: %v, %d tokens", err, s.Position())
	}
}

// TestTooLong: a Transformer takes the given number of tokens; what came before belongs to the sequence.
func TestTooLong(t *testing.T) {
	m := open(t, modelDir(t, refmodel.GPTNeoX, 1))
	s := session(t, m)
	_, err := collect(t.Context(), s, strings.Repeat("x", positions+1), warm(1, 1))
	wantIs(t, "a long prompt", err, mmrun.ErrTooLong)
	var long *engine.TooLongError
	if !errors.As(err, &long) || long.Tokens != positions+1 || long.Most != positions || s.Position() != 0 {
		t.Errorf("%v, %d tokens", err, s.Position())
	}
	tokens, failed := 0, error(nil)
	for _, err := range m.Generate(t.Context(), s.State(), bytesOf(strings.Repeat("x", positions-2)), engine.GenerateOptions{MaxTokens: 9, Stop: []int32{}}) {
		if failed = err; err == nil {
			tokens++
		}
	}
	wantIs(t, "a text beyond the end", failed, mmrun.ErrTooLong)
	if tokens != 2 || s.Position() != positions {
		t.Errorf("%d tokens, %d in all", tokens, s.Position())
	}
	_, err = collect(t.Context(), s, "x", warm(1, 1))
	wantIs(t, "a token beyond the end", err, mmrun.ErrTooLong)
}

// bytesOf is a text as the tokens of the models here.
func bytesOf(text string) (ids []int32) {
	for _, b := range []byte(text) {
		ids = append(ids, int32(b))
	}
	return ids
}

// TestOtherModel: a session belongs to its model, saved or not, and keeps what it has.
func TestOtherModel(t *testing.T) {
	one, other := open(t, modelDir(t, refmodel.MemMamba, 1)), open(t, modelDir(t, refmodel.MemMamba, 2))
	s, foreign := session(t, one), session(t, other)
	write(t, s, prompt, warm(5, 1))
	write(t, foreign, prompt, warm(5, 1))
	before := save(t, s)
	wantIs(t, "loading", s.UnmarshalBinary(save(t, foreign)), mmrun.ErrOtherModel)
	for _, err := range one.Generate(t.Context(), foreign.State(), nil, engine.GenerateOptions{MaxTokens: 1}) {
		wantIs(t, "a state of another model", err, mmrun.ErrOtherModel)
	}
	scheduler, err := one.NewScheduler(engine.SchedulerOptions{Places: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer scheduler.Close()
	_, err = scheduler.Submit(t.Context(), engine.Request{From: foreign.State(), Prompt: []int32{1}, LogProbs: -1})
	wantIs(t, "going on from a state of another model", err, mmrun.ErrOtherModel)
	if !bytes.Equal(save(t, s), before) {
		t.Error("what was refused changed the session")
	}
}

// TestRefusedState: a saved session that was spoilt is refused and changes nothing.
func TestRefusedState(t *testing.T) {
	s := session(t, bundled(t))
	text := write(t, s, prompt, warm(5, 1))
	good := save(t, s)
	for name, bad := range map[string][]byte{
		"nothing": nil, "text": []byte(text), "cut in the header": good[:40], "cut in the middle": good[:len(good)/2], "last byte": good[:len(good)-1],
		"altered": append(append(bytes.Clone(good[:len(good)/2]), good[len(good)/2]^1), good[len(good)/2+1:]...), "longer": append(bytes.Clone(good), 0),
	} {
		wantIs(t, name, s.UnmarshalBinary(bad), mmrun.ErrRefused)
		if !bytes.Equal(save(t, s), good) {
			t.Errorf("%s changed the session", name)
		}
	}
}

// TestRefusedModel: files that cannot be used are refused, naming them; those that are not there are fs.ErrNotExist.
func TestRefusedModel(t *testing.T) {
	const config, tokenizer, weights = "config.json", "tokenizer.json", "model.safetensors"
	change := func(file, from, to string) func(dir string) error {
		return func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err == nil && !bytes.Contains(data, []byte(from)) {
				err = errors.New(file + " does not hold " + from)
			}
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, file), bytes.Replace(data, []byte(from), []byte(to), 1), 0o644)
		}
	}
	remove := func(file string) func(dir string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, file)) }
	}
	for name, test := range map[string]struct {
		spoil func(dir string) error
		is    error
		says  string
	}{
		"broken config":      {change(config, "{", "["), mmrun.ErrRefused, config},
		"unknown model type": {change(config, `"mamba"`, `"rwkv"`), mmrun.ErrRefused, config + `: model_type "rwkv"`},
		"size out of range":  {change(config, `"state_size": 16`, `"state_size": 0`), mmrun.ErrRefused, config + ": state_size 0"},
		"missing tensor":     {change(weights, "norm_f.weight", "norm_g.weight"), mmrun.ErrRefused, "backbone.norm_f.weight"},
		"another shape":      {change(config, `"hidden_size": 32`, `"hidden_size": 33`), mmrun.ErrRefused, "the config asks for"},
		"truncated weights":  {func(dir string) error { return os.Truncate(filepath.Join(dir, weights), 5000) }, mmrun.ErrRefused, weights},
		"broken tokenizer":   {change(tokenizer, `"model"`, `"muddle"`), mmrun.ErrRefused, tokenizer},
		"tokenizer of another": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, tokenizer), tokenizerFile(t, " word"), 0o644)
		}, mmrun.ErrRefused, tokenizer + ": 258 tokens, the model has 257"},
		"no config":    {remove(config), fs.ErrNotExist, config},
		"no tokenizer": {remove(tokenizer), fs.ErrNotExist, tokenizer},
		"no directory": {os.RemoveAll, fs.ErrNotExist, ""},
	} {
		dir := modelDir(t, refmodel.Mamba, 1)
		if err := test.spoil(dir); err != nil {
			t.Fatal(err)
		}
		m, err := mmrun.Open(dir, mmrun.Options{})
		wantIs(t, name, err, test.is)
		if err == nil {
			m.Close()
			continue
		}
		if said := err.Error(); !strings.Contains(said, dir) || !strings.Contains(said, test.says) || strings.Contains(said, "\n") {
			t.Errorf("%s: %q does not name %s and %s in a line", name, said, dir, test.says)
		}
		if name == "no directory" {
			continue
		}
		if _, err := mmrun.OpenFS("within", os.DirFS(dir), mmrun.Options{}); err == nil || !errors.Is(err, test.is) || !strings.Contains(err.Error(), "within") {
			t.Errorf("%s, from a file system: %v", name, err)
		}
	}
}

// TestOptionsRefused: what no option can be is an error of its own.
func TestOptionsRefused(t *testing.T) {
	dir := modelDir(t, refmodel.Mamba, 1)
	for says, options := range map[string]mmrun.Options{
		"chunk of -1 tokens": {Chunk: -1}, `quantization "q1" is not known`: {Quantize: "q1"},
	} {
		if _, err := mmrun.Open(dir, options); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	_, err := mmrun.Open(dir, mmrun.Options{Device: "Voodoo"})
	wantIs(t, "a device that there is not", err, mmrun.ErrNoDevice)
	s := session(t, bundled(t))
	options := warm(3, 1)
	options.Sample.TopP = 2
	if _, err := collect(t.Context(), s, prompt, options); err == nil || !strings.Contains(err.Error(), "top-p 2") || s.Position() != 0 {
		t.Errorf("top-p 2: %v, %d tokens", err, s.Position())
	}
}

// TestOutOfMemory opens a model of a terabyte, all of it a hole in a file: no device has that much.
func TestOutOfMemory(t *testing.T) {
	const V, d, E, N = 1 << 21, 1 << 17, 8, 8
	dir, tensors, at := modelDir(t, refmodel.Mamba, 1), map[string]any{}, int64(0)
	add := func(name string, shape ...int64) {
		size := int64(4)
		for _, n := range shape {
			size *= n
		}
		tensors["backbone."+name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": [2]int64{at, at + size}}
		at += size
	}
	add("embeddings.weight", V, d)
	add("norm_f.weight", d)
	for name, shape := range map[string][]int64{
		"norm.weight": {d}, "mixer.in_proj.weight": {2 * E, d}, "mixer.conv1d.weight": {E, 1, 4}, "mixer.conv1d.bias": {E}, "mixer.x_proj.weight": {1 + 2*N, E},
		"mixer.dt_proj.weight": {E, 1}, "mixer.dt_proj.bias": {E}, "mixer.A_log": {E, N}, "mixer.D": {E}, "mixer.out_proj.weight": {d, E},
	} {
		add("layers.0."+name, shape...)
	}
	header, err := json.Marshal(tensors)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"model_type": "mamba", "vocab_size": %d, "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": 1, "state_size": %d, "time_step_rank": 1}`, V, d, E, N)
	weights := filepath.Join(dir, "model.safetensors")
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644),
		os.WriteFile(weights, append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), 0o644),
		os.Truncate(weights, 8+int64(len(header))+at))
	if err != nil {
		t.Fatal(err)
	}
	_, err = mmrun.Open(dir, mmrun.Options{})
	wantIs(t, "a terabyte", err, mmrun.ErrOutOfMemory)
	var memory *vk.OutOfMemoryError
	if !errors.As(err, &memory) {
		t.Errorf("%v does not say how much", err)
	}
}

// asProgram makes the test binary one of the programs here, for what is so of a whole process.
const asProgram = "MMRUN_TEST_AS_PROGRAM"

var programs = map[string]func(){"open": openAsProgram}

// openAsProgram opens a model and says which error that gives, by its place among the sentinels.
func openAsProgram() {
	_, err := mmrun.Open(os.Args[1], mmrun.Options{})
	for i, is := range sentinels {
		if errors.Is(err, is) {
			os.Exit(100 + i)
		}
	}
}

// TestNoDevice: a machine without a loader, and one without a device.
func TestNoDevice(t *testing.T) {
	empty := t.TempDir()
	for _, name := range []string{"libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"} {
		if err := os.WriteFile(filepath.Join(empty, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		is  error
		env []string
	}{
		{mmrun.ErrNoLoader, []string{"LD_LIBRARY_PATH=" + empty, "DYLD_LIBRARY_PATH=" + empty}},
		{mmrun.ErrNoDevice, []string{"VK_ICD_FILENAMES=/nonexistent", "VK_DRIVER_FILES=/nonexistent", "MMRUN_DEVICE="}},
	} {
		cmd := exec.Command(os.Args[0], bundledDir)
		cmd.Env = append(append(os.Environ(), asProgram+"=open"), test.env...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if i := cmd.ProcessState.ExitCode() - 100; i < 0 || i >= len(sentinels) || sentinels[i] != test.is {
			t.Errorf("%v: status %d: %s", test.is, cmd.ProcessState.ExitCode(), out)
		}
	}
}
