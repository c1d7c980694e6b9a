package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// A fake behaves as the Hub does, with its files on a host of their own.
type fake struct {
	files map[string]string
	trick string // what goes wrong

	mu         sync.Mutex
	hub, store *httptest.Server
	log        []string
	sent       map[string]int // GETs of a file from the store
}

func newFake(t *testing.T, trick string, files map[string]string) (*fake, *Hub) {
	f := &fake{files: files, trick: trick, sent: map[string]int{}}
	f.hub = httptest.NewServer(http.HandlerFunc(f.serveHub))
	f.store = httptest.NewServer(http.HandlerFunc(f.serveStore))
	t.Cleanup(func() { f.hub.Close(); f.store.Close() })
	h := New(f.hub.URL, filepath.Join(t.TempDir(), "cache"))
	h.Token, h.pause, h.stall = "hf_secret", time.Millisecond, 200*time.Millisecond
	return f, h
}

func isLarge(name string) bool {
	return strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".gguf")
}

func tagOf(name, data string) string {
	if isLarge(name) {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(data)))
	}
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data)))
}

func (f *fake) note(host string, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf("%s %s %s %q %q", host, r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Range")))
}

func (f *fake) serveHub(w http.ResponseWriter, r *http.Request) {
	f.note("hub", r)
	path := r.URL.Path
	if f.trick == "renamed" && strings.HasPrefix(path, "/o/") {
		http.Redirect(w, r, strings.Replace(path, "/o/", "/renamed/", 1), http.StatusTemporaryRedirect)
		return
	}
	if r.Header.Get("Authorization") != "Bearer hf_secret" || f.trick == "private" {
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if strings.HasPrefix(path, "/api/models/") {
		l := map[string]any{"sha": commit}
		var all []map[string]string
		for name := range f.files {
			all = append(all, map[string]string{"rfilename": name})
		}
		l["siblings"] = all
		json.NewEncoder(w).Encode(l)
		return
	}
	name := path[strings.Index(path, commit)+len(commit)+1:]
	data, ok := f.files[name]
	switch {
	case f.trick == "gated":
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.Header().Set("X-Error-Message", "Access to model o/n is restricted.")
		w.WriteHeader(http.StatusForbidden)
	case !ok:
		http.NotFound(w, r)
	case isLarge(name):
		w.Header().Set("X-Linked-Etag", `"`+tagOf(name, data)+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
		http.Redirect(w, r, f.store.URL+"/"+name+"?signature=secret", http.StatusFound)
	default:
		w.Header().Set("ETag", `"`+tagOf(name, data)+`"`)
		http.ServeContent(w, r, name, time.Time{}, strings.NewReader(data))
	}
}

func (f *fake) serveStore(w http.ResponseWriter, r *http.Request) {
	f.note("store", r)
	name := strings.TrimPrefix(r.URL.Path, "/")
	data := f.files[name]
	f.mu.Lock()
	f.sent[name]++
	n := f.sent[name]
	f.mu.Unlock()
	switch {
	case f.trick == "busy", f.trick == "busy once" && n == 1:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case f.trick == "corrupt":
		data = strings.ToUpper(data)
	case f.trick == "longer":
		data += "more"
	case f.trick == "ignores ranges":
		r.Header.Del("Range")
	}
	if cut := map[string]bool{"breaks": true, "ignores ranges": true, "stalls": true}[f.trick]; cut && n == 1 {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write([]byte(data[:len(data)/2]))
		w.(http.Flusher).Flush()
		if f.trick == "stalls" {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(data))
}

var model = map[string]string{
	"config.json": `{"model_type": "mamba"}`, "tokenizer.json": "{}", "README.md": "# read", "model.safetensors": strings.Repeat("weights ", 4000),
	"pytorch_model.bin": "other weights", "../../../evil.json": "evil",
}

var on = Name{Owner: "o", Model: "n"}

// TestPull gets a model over whatever goes wrong, and finds it again.
func TestPull(t *testing.T) {
	for _, trick := range []string{"", "renamed", "breaks", "stalls", "ignores ranges", "busy once"} {
		t.Run(trick, func(t *testing.T) {
			f, h := newFake(t, trick, model)
			last, total := int64(0), int64(0)
			dir, err := h.Pull(context.Background(), on, func(done, all int64) { last, total = done, all })
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(h.Cache, "models--o--n", "snapshots", commit); dir != want {
				t.Errorf("%s, want %s", dir, want)
			}
			for name, data := range model {
				got, err := os.ReadFile(filepath.Join(dir, name))
				wanted := name == "config.json" || name == "tokenizer.json" || name == "model.safetensors"
				if wanted != (err == nil && string(got) == data) {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
			to, err := os.Readlink(filepath.Join(dir, "model.safetensors"))
			if want := filepath.Join("..", "..", "blobs", tagOf("model.safetensors", model["model.safetensors"])); err != nil || to != want {
				t.Errorf("the link is to %s, %v, want %s", to, err, want)
			}
			if ref, err := os.ReadFile(filepath.Join(h.Cache, "models--o--n", "refs", "main")); err != nil || string(ref) != commit {
				t.Errorf("refs/main is %q, %v", ref, err)
			}
			if last != total || total != int64(len(model["config.json"])+2+len(model["model.safetensors"])) {
				t.Errorf("told of %d of %d bytes", last, total)
			}
			f.check(t, trick)
			f.again(t, h)
		})
	}
}

// check looks at what was asked of whom.
func (f *fake) check(t *testing.T, trick string) {
	t.Helper()
	resumed := false
	for _, line := range f.log {
		token, store := strings.Contains(line, "hf_secret"), strings.HasPrefix(line, "store")
		if token == store {
			t.Errorf("token %v: %s", token, line)
		}
		resumed = resumed || store && strings.Contains(line, "bytes=16000-")
	}
	if want := trick == "breaks" || trick == "stalls" || trick == "ignores ranges"; resumed != want {
		t.Errorf("resumed %v: %q", resumed, f.log)
	}
}

// again pulls what is there, and finds it without a network and without refs.
func (f *fake) again(t *testing.T, h *Hub) {
	t.Helper()
	f.log = nil
	if _, err := h.Pull(context.Background(), on, nil); err != nil {
		t.Fatal(err)
	}
	for _, line := range f.log {
		if strings.HasPrefix(line, "store") {
			t.Errorf("asked for again: %s", line)
		}
	}
	f.hub.Close()
	if err := os.RemoveAll(filepath.Join(h.Cache, "models--o--n", "refs")); err != nil {
		t.Fatal(err)
	}
	h.Offline = true
	found, err := h.Pull(context.Background(), Name{"o", "n", "config.json"}, nil)
	if err != nil || filepath.Base(found) != "config.json" {
		t.Errorf("%s, %v", found, err)
	}
	all, err := h.List()
	if err != nil || len(all) != 1 || all[0].Name != on || all[0].Commit != commit || !slices.Equal(all[0].Files, []string{"config.json", "model.safetensors", "tokenizer.json"}) || all[0].Bytes != 32025 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestPullFails: what cannot be got is told with the reason and what to do.
func TestPullFails(t *testing.T) {
	ggufs := map[string]string{"a-Q4_K_M.gguf": "4", "a-Q8_0.gguf": "8", "b-00001-of-00002.gguf": "x", "b-00002-of-00002.gguf": "y"}
	for _, c := range []struct {
		trick string
		files map[string]string
		name  Name
		want  string // HUB stands for the address
	}{
		{"private", model, on, "o/n: there is no such model at HUB, or it is private (the token of HF_TOKEN does not open it)"},
		{"gated", model, on, "config.json: o/n is gated: Access to model o/n is restricted; ask for access at HUB/o/n and set HF_TOKEN"},
		{"", model, Name{"o", "n", "x.gguf"}, "o/n has no file x.gguf; it has "},
		{"", map[string]string{"config.json": "{}", "tf_model.h5": ""}, on, "o/n has no weights that are read here: model.safetensors, pytorch_model.bin or a .gguf file; it has "},
		{"", ggufs, on, "o/n has several GGUF files; name one, as in 'mmrun pull o/n:"},
		{"busy", model, on, "model.safetensors: o/n:model.safetensors: STORE answers 503 Service Unavailable"},
		{"corrupt", model, on, "model.safetensors: its SHA-256 is "},
		{"longer", model, on, "model.safetensors: its size is larger, and 32000 bytes by the Hub's word; what came was thrown away"},
	} {
		f, h := newFake(t, c.trick, c.files)
		_, err := h.Pull(context.Background(), c.name, nil)
		want := strings.NewReplacer("HUB", f.hub.URL, "STORE", strings.TrimPrefix(f.store.URL, "http://")).Replace(c.want)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", c.trick, err, want)
		}
		left, _ := filepath.Glob(filepath.Join(h.Cache, "models--o--n", "blobs", "*"+partEnding))
		if len(left) > 0 && c.trick != "busy" {
			t.Errorf("%s: %v is left", c.trick, left)
		}
	}
	_, h := newFake(t, "", model)
	h.Offline = true
	if _, err := h.Pull(context.Background(), on, nil); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "HF_HUB_OFFLINE is set, and o/n is not in the Hub's cache") {
		t.Errorf("offline: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := errors.New("stopped")
	_, h = newFake(t, "busy", model)
	h.pause = time.Hour
	time.AfterFunc(50*time.Millisecond, func() { cancel(stopped) })
	if _, err := h.Pull(ctx, on, nil); !errors.Is(err, stopped) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestStalePart: what lies there from a pull of other content is not kept.
func TestStalePart(t *testing.T) {
	for _, size := range []int{100, len(model["model.safetensors"]), 100000} {
		f, h := newFake(t, "", model)
		blob := filepath.Join(h.Cache, "models--o--n", "blobs", tagOf("model.safetensors", model["model.safetensors"]))
		if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(blob+partEnding, make([]byte, size), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Pull(context.Background(), on, nil); err != nil {
			t.Errorf("%d bytes: %v, %q", size, err, f.log)
		}
	}
}

// TestChoose: what it takes to run a model, of what there is.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		file        string
		files, want []string
	}{
		{"", []string{"a.gguf", "config.json", "README.md"}, []string{"config.json", "a.gguf"}},
		{"", []string{"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}, []string{"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}},
		{"a-00001-of-00002.gguf", []string{"b.gguf", "a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}, []string{"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}},
		{"", []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin"},
			[]string{"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}},
		{"", []string{"pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json", "vocab.json", "training_args.bin"},
			[]string{"vocab.json", "pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"}},
		{"README.md", []string{"README.md", "a.gguf"}, []string{"README.md"}},
	} {
		if got, err := choose(Name{"o", "n", c.file}, c.files); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v %v, want %v", c.files, got, err, c.want)
		}
	}
}

func TestParseName(t *testing.T) {
	for text, want := range map[string]Name{
		"state-spaces/mamba-130m-hf": {"state-spaces", "mamba-130m-hf", ""}, "o/n.1:sub/x-Q4_K_M.gguf": {"o", "n.1", "sub/x-Q4_K_M.gguf"},
	} {
		if got, err := ParseName(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "n", "o/", "/n", "o/n/m", "../n", "o/..", "o/.n", "o/n:", "o/n:../x", "o/n:/x", `o/n:a\b`, "o--p/n", "./n", "~/n"} {
		if got, err := ParseName(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// TestFromEnv: the variables of Hugging Face's library.
func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", home)
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := FromEnv()
	if err != nil || h.Endpoint != "https://huggingface.co" || h.Cache != filepath.Join(home, "hub") || h.Token != "hf_file" || h.Offline {
		t.Errorf("%+v, %v", h, err)
	}
	t.Setenv("HF_TOKEN", "hf_variable")
	t.Setenv("HF_HUB_CACHE", "elsewhere")
	t.Setenv("HF_ENDPOINT", "https://mirror/")
	t.Setenv("HF_HUB_OFFLINE", "1")
	h, err = FromEnv()
	if err != nil || h.Endpoint != "https://mirror" || h.Cache != "elsewhere" || h.Token != "hf_variable" || !h.Offline {
		t.Errorf("%+v, %v", h, err)
	}
	t.Setenv("HF_ENDPOINT", "mirror")
	if _, err := FromEnv(); err == nil {
		t.Error("an address without a scheme is taken")
	}
}
