package server_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/server"
)

// notes is what /v1/notes tells.
type notes struct {
	Object                               string
	Tokens, Window, Windows, From, Start int
	Text                                 []string
	Layers                               []struct {
		Reads []int
		Notes []note
	}
	Next string
	More bool
}

type note struct {
	Position   int64
	Importance float32
	Left       *int
}

func (r *running) notes(body fields) (n notes) {
	r.t.Helper()
	status, _, data := r.do("POST", "/v1/notes", body)
	if err := json.Unmarshal(data, &n); err != nil || status != 200 || n.Object != "notes" {
		r.t.Fatalf("%d, %v: %.300s", status, err, data)
	}
	return n
}

// keptNotes are those of a layer's in the pool.
func keptNotes(all []note) (kept []note) {
	for _, one := range all {
		if one.Left == nil {
			kept = append(kept, one)
		}
	}
	return kept
}

// TestNotes: what /v1/notes tells of a conversation is what a state of the model's own has, at once and window by window.
func TestNotes(t *testing.T) {
	r := usual(t)
	question, reply := strings.Repeat("It was a bright cold day in April, and the clocks were striking thirteen. ", 4), strings.Repeat("Winston <Smith> said 71432 & nothing of it, and went. ", 3)
	text := "user: " + question + "\nassistant: " + reply
	conversation := func(answer string) fields {
		return fields{"messages": []fields{{"role": "user", "content": question}, {"role": "assistant", "content": answer}}}
	}
	m, err := alone()
	if err != nil {
		t.Fatal(err)
	}
	state, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	reads, wrote := map[int][]int{}, map[int][]note{}
	memmamba.OnWindow(state, func(window int64, own, _ []bool) error {
		memory, err := memmamba.Memory(state)
		for l, layer := range memory {
			if own[l] {
				reads[l] = append(reads[l], int(window))
			}
			wrote[l] = nil
			for _, one := range layer.Notes {
				wrote[l] = append(wrote[l], note{Position: one.Position, Importance: one.Importance})
			}
		}
		return err
	})
	ids, err := m.Tokenizer().Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Forward(context.Background(), state, ids); err != nil {
		t.Fatal(err)
	}
	whole, all := r.notes(conversation(reply)), 0
	if whole.Tokens != len(ids) || whole.Windows != (len(ids)+63)/64 || whole.From != 1 || whole.Start != 0 || strings.Join(whole.Text, "") != text || len(whole.Layers) != m.Sizes().Layers {
		t.Fatalf("%+v", whole)
	}
	for l, layer := range whole.Layers {
		all += len(layer.Notes)
		if got := append([]int(nil), layer.Reads...); !reflect.DeepEqual(got, reads[l]) || !reflect.DeepEqual(keptNotes(layer.Notes), wrote[l]) {
			t.Errorf("layer %d reads in %v and has %v; want %v, %v", l, got, keptNotes(layer.Notes), reads[l], wrote[l])
		}
	}
	if all == 0 {
		t.Error("there are no notes at all")
	}
	checkSteps(t, r, conversation, reply, whole)
}

// checkSteps asks while the answer grows: only what is new is told, and together it is all.
func checkSteps(t *testing.T, r *running, conversation func(string) fields, reply string, whole notes) {
	first := r.notes(conversation(reply[:20]))
	same := r.notes(conversation(reply[:21]).with(fields{"after": first.Next}))
	if same.Next != first.Next || len(same.Layers) != 0 || same.Windows != first.Windows || same.Start != (first.Windows-1)*64 {
		t.Errorf("a letter more: %+v", same)
	}
	rest := r.notes(conversation(reply).with(fields{"after": first.Next}))
	if rest.From != first.Windows || rest.Next != whole.Next || strings.Join(append(first.Text[:rest.Start:rest.Start], rest.Text...), "") != strings.Join(whole.Text, "") {
		t.Errorf("the rest: %+v", rest)
	}
	for l, layer := range rest.Layers {
		if got := append(append([]int{}, first.Layers[l].Reads...), layer.Reads...); !reflect.DeepEqual(got, whole.Layers[l].Reads) {
			t.Errorf("layer %d reads in %v, want %v", l, got, whole.Layers[l].Reads)
		}
		if !reflect.DeepEqual(keptNotes(layer.Notes), keptNotes(whole.Layers[l].Notes)) {
			t.Errorf("layer %d has other notes than at once", l)
		}
	}
	if other := r.notes(fields{"prompt": "Call me Ishmael. Some years ago", "after": whole.Next}); other.From != 1 || other.Start != 0 || other.Windows != 1 {
		t.Errorf("with another text's cursor: %+v", other)
	}
	if none := r.notes(fields{"prompt": ""}); none.Tokens != 0 || none.Window != 64 || none.Next != "" {
		t.Errorf("of nothing: %+v", none)
	}
}

// TestNotesPages: notes of a long text come in several answers, or in the events of one stream, which tell the same;
// together they are all, whether states are kept or not.
func TestNotesPages(t *testing.T) {
	r := start(t, server.Options{StateCache: -1})
	body := fields{"prompt": strings.Repeat("It was a bright cold day in April, and the clocks were striking thirteen. ", 6)}
	whole := r.notes(body)
	defer server.SetNoteTokens(150, 150)()
	var text []string
	var pages []notes
	reads := make([][]int, len(whole.Layers))
	for after := ""; ; {
		one := r.notes(body.with(fields{"after": after}))
		pages, text, after = append(pages, one), append(text[:one.Start:one.Start], one.Text...), one.Next
		for l, layer := range one.Layers {
			reads[l] = append(reads[l], layer.Reads...)
		}
		if !one.More {
			break
		}
	}
	last := pages[len(pages)-1]
	if len(pages) != whole.Windows/2 || len(pages) < 3 || strings.Join(text, "") != strings.Join(whole.Text, "") || last.Next != whole.Next {
		t.Errorf("%d answers tell of %q", len(pages), text)
	}
	for l, layer := range whole.Layers {
		if len(reads[l])+len(layer.Reads) > 0 && !reflect.DeepEqual(reads[l], layer.Reads) || !reflect.DeepEqual(keptNotes(last.Layers[l].Notes), keptNotes(layer.Notes)) {
			t.Errorf("layer %d reads in %v, want %v, or has other notes", l, reads[l], layer.Reads)
		}
	}
	status, header, data := r.do("POST", "/v1/notes", body.with(fields{"stream": true}))
	events := strings.Split(strings.TrimSuffix(string(data), "\n\n"), "\n\n")
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/event-stream") || len(events) != len(pages)+1 || events[len(pages)] != "data: [DONE]" {
		t.Fatalf("%d: %.300s", status, data)
	}
	for i, want := range pages {
		var got notes
		if err := json.Unmarshal([]byte(strings.TrimPrefix(events[i], "data: ")), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("event %d: %v, %+v, want %+v", i, err, got, want)
		}
	}
}

// TestNotesRefused: a model without a memory, and a cursor that is none.
func TestNotesRefused(t *testing.T) {
	if e := usual(t).failed("POST", "/v1/notes", `{"prompt": "x", "after": "3"}`, 400); e.Param != "after" {
		t.Errorf("%+v", e)
	}
	usual(t).failed("POST", "/v1/notes", `{"prompt": ["x", "y"]}`, 400)
	if e := usual(t).failed("POST", "/v1/notes", fields{"prompt": strings.Repeat("x", 4097)}, 400); e.Code != "context_length_exceeded" {
		t.Errorf("%+v", e)
	}
	plain := bundled("plain")
	plain.Open = func() (*mmrun.Model, error) { return mmrun.Open(plainDir, mmrun.Options{Chunk: 64}) }
	r := start(t, server.Options{Models: []server.Model{bundled(bundledName), plain}})
	if e := r.failed("POST", "/v1/notes", `{"model": "plain", "prompt": "x"}`, 400); e.Code != "no_memory" {
		t.Errorf("%+v", e)
	}
	r.session("POST", "/v1/sessions", fields{"id": "a", "model": "plain", "prompt": "x"}, 201)
	r.failed("GET", "/v1/sessions/a/notes", nil, 404)
	r.failed("GET", "/v1/sessions/none/notes", nil, 404)
}

// plainDir is a model without a memory.
var plainDir = filepath.Join("..", "models", "novels-mamba")
