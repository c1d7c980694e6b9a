package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mmrun/mmrun/server"
	"github.com/mmrun/mmrun/server/store"
)

// folder is a store that servers share.
func folder(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := store.NewFolder(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShared: a session goes on at any of the servers that share a store, as it would at one. Of two that go on with it
// at once the one that ends later is told, and changes nothing.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	one := start(t, server.Options{Store: folder(t, dir)})
	other := start(t, server.Options{Store: folder(t, dir)})
	one.session("POST", "/v1/sessions", fields{"id": "a", "prompt": "It was a dark"}, 201)
	ask := fields{"session": "a", "max_tokens": 12, "temperature": 0.8, "seed": 2, "logprobs": 1}
	whole := "It was a dark"
	for i, r := range []*running{other, one, other} {
		new := fmt.Sprint(" and ", i)
		got := r.ask("/v1/completions", ask.with(fields{"prompt": new}))
		want := usual(t).ask("/v1/completions", ask.with(fields{"session": nil, "prompt": bytesOf(whole + new)}))
		if said(got.Choices[0]) != said(want.Choices[0]) {
			t.Fatalf("turn %d is %s at another server, %s at one", i, said(got.Choices[0]), said(want.Choices[0]))
		}
		whole += new + rawText(got.Choices[0])
	}
	resp, in := one.begun(t.Context(), endless.with(fields{"session": "a", "prompt": " so", "max_tokens": 300, "logprobs": nil}))
	defer resp.Body.Close()
	other.text(ask.with(fields{"prompt": " but"}))
	_, _, after := other.do("GET", "/v1/sessions/a", nil)
	rest, err := io.ReadAll(in)
	if err != nil || bytes.Contains(rest, []byte("[DONE]")) || !bytes.Contains(rest, []byte(`"code":"session_changed"`)) {
		t.Errorf("%v: who comes later is told %.300s", err, rest[max(0, len(rest)-300):])
	}
	if _, _, data := one.do("GET", "/v1/sessions/a", nil); !bytes.Equal(data, after) {
		t.Error("the session is not as the other server left it")
	}
	if status, _, _ := one.do("DELETE", "/v1/sessions/a", nil); status != 204 {
		t.Errorf("DELETE: %d", status)
	}
	other.failed("POST", "/v1/completions", ask.with(fields{"prompt": "x"}), 404)
}

// rawText is what a choice's tokens are, each of them a byte.
func rawText(c answerChoice) string {
	var text strings.Builder
	for _, token := range c.Logs.Tokens {
		var b byte
		if n, _ := fmt.Sscanf(token, `bytes:\x%02x`, &b); n == 1 {
			text.WriteByte(b)
		} else {
			text.WriteString(token)
		}
	}
	return text.String()
}

// TestDamaged: a session that is not as it was written is refused wherever it is used, and no other is held up by it.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	r := start(t, server.Options{Store: folder(t, dir)})
	for _, id := range []string{"a", "b"} {
		r.session("POST", "/v1/sessions", fields{"id": id, "prompt": "It was"}, 201)
	}
	_, _, saved := r.do("GET", "/v1/sessions/b", nil)
	files, err := filepath.Glob(filepath.Join(dir, "*", "a", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"cut": good[:len(good)-1], "cut in its description": good[:60], "longer": append(bytes.Clone(good), 0), "nothing": good[:16],
		"altered in its state": flipped(good, len(good)/2), "altered in its description": flipped(good, 50), "something else": bytes.Repeat([]byte("text"), 100),
	} {
		if err := os.WriteFile(files[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, use := range []func() failure{
			func() failure { return r.failed("GET", "/v1/sessions/a", nil, 500) },
			func() failure { return r.failed("POST", "/v1/sessions/a/fork", nil, 500) },
			func() failure { return r.failed("POST", "/v1/completions", fields{"session": "a", "prompt": "x"}, 500) },
		} {
			if e := use(); e.Code != "session_damaged" || strings.Contains(e.Message, "text") {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if status, _, list := r.do("GET", "/v1/sessions", nil); status != 200 || !bytes.Contains(list, []byte(`"id":"b"`)) {
			t.Errorf("%s: the list is %d %s", name, status, list)
		}
	}
	r.session("PUT", "/v1/sessions/a", saved, 200)
	if got, want := r.text(fields{"session": "a", "prompt": " a", "max_tokens": 5, "temperature": 0}), r.text(fields{"session": "b", "prompt": " a", "max_tokens": 5, "temperature": 0}); got != want {
		t.Errorf("replaced, it goes on with %q, not %q", got, want)
	}
}

func flipped(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

// A failing store is one that may be down.
type failing struct {
	store.Store
	down atomic.Bool
}

var errDown = errors.New("dial tcp 10.0.0.7:6379: connection refused")

// Put implements store.Store.
func (f *failing) Put(ctx context.Context, key string, blob []byte, was string) error {
	if f.down.Load() {
		return errDown
	}
	return f.Store.Put(ctx, key, blob, was)
}

// Open implements store.Store.
func (f *failing) Open(ctx context.Context, key string) (io.ReadCloser, string, error) {
	if f.down.Load() {
		return nil, "", errDown
	}
	return f.Store.Open(ctx, key)
}

// List implements store.Store.
func (f *failing) List(ctx context.Context, part string) ([]string, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Store.List(ctx, part)
}

// Check implements store.Store.
func (f *failing) Check(ctx context.Context) error {
	if f.down.Load() {
		return errDown
	}
	return f.Store.Check(ctx)
}

// TestStoreDown: what needs the store is told so, what does not goes on, and all does once it is back.
func TestStoreDown(t *testing.T) {
	f := &failing{Store: folder(t, t.TempDir())}
	r := start(t, server.Options{Store: f})
	r.session("POST", "/v1/sessions", fields{"id": "a", "prompt": "It was"}, 201)
	f.down.Store(true)
	for _, test := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/sessions", nil}, {"GET", "/v1/sessions/a", nil}, {"DELETE", "/v1/sessions/a", nil}, {"POST", "/v1/sessions", fields{"id": "b"}},
		{"POST", "/v1/sessions/a/fork", nil}, {"POST", "/v1/completions", fields{"session": "a", "prompt": "x"}},
	} {
		_, header, _ := r.do(test.method, test.path, test.body)
		if e := r.failed(test.method, test.path, test.body, 503); e.Code != "store_unavailable" || strings.Contains(e.Message, "10.0.0.7") || header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %+v, %v", test.method, test.path, e, header)
		}
	}
	r.text(greedy)
	if status, _, data := r.do("GET", "/ready", nil); status != 200 || !bytes.Contains(data, []byte(`"state_store":"unreachable"`)) {
		t.Errorf("/ready: %d %s", status, data)
	}
	f.down.Store(false)
	r.text(fields{"session": "a", "prompt": " a", "max_tokens": 2})
	if _, _, data := r.do("GET", "/ready", nil); !bytes.Contains(data, []byte(`"state_store":"ok"`)) {
		t.Errorf("/ready: %s", data)
	}
}

// TestMovedFar: a state that comes as a file from elsewhere is known as the beginning of its text, however long that is.
func TestMovedFar(t *testing.T) {
	one, other := start(t, server.Options{}), start(t, server.Options{})
	talk := []fields{{"role": "user", "content": prose(7, 4200)}}
	body := fields{"session": "a", "max_tokens": 9, "temperature": 0}
	one.session("POST", "/v1/sessions", fields{"id": "a"}, 201)
	a := one.ask("/v1/chat/completions", body.with(fields{"messages": talk}))
	_, _, saved := one.do("GET", "/v1/sessions/a", nil)
	other.session("PUT", "/v1/sessions/a", saved, 201)
	talk = append(talk, fields{"role": "assistant", "content": a.Choices[0].text()}, fields{"role": "user", "content": "Go on"})
	got := other.ask("/v1/chat/completions", body.with(fields{"messages": talk}))
	want := one.ask("/v1/chat/completions", body.with(fields{"messages": talk}))
	if said(got.Choices[0]) != said(want.Choices[0]) || got.Usage.Details.Cached < a.Usage.Prompt+8 {
		t.Errorf("after a move of %d tokens %s, of which %d were known; before it %s", a.Usage.Prompt, said(got.Choices[0]), got.Usage.Details.Cached, said(want.Choices[0]))
	}
}

// TestForgotten: sessions in memory go when nobody goes on with them for as long as they are kept.
func TestForgotten(t *testing.T) {
	r := start(t, server.Options{SessionTTL: 1500 * time.Millisecond})
	r.session("POST", "/v1/sessions", fields{"id": "a"}, 201)
	for range 100 {
		if status, _, _ := r.do("GET", "/v1/sessions/a", nil); status == 404 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("a session is kept for longer than it is to be")
}
