package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/mmrun/mmrun/chat"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/tokenizer"
)

// mostNoteTokens is about how many tokens one answer tells of: who wants to know of more asks again.
// eventNoteTokens is the same of an event of a stream.
var mostNoteTokens, eventNoteTokens = 1 << 14, 1 << 10

// notesReply is what a MemMamba wrote down of a text.
type notesReply struct {
	Object  string        `json:"object"`
	Model   string        `json:"model"`
	Tokens  int           `json:"tokens"`
	Window  int           `json:"window"`  // tokens
	Windows int           `json:"windows"` // that have begun, and of which the client knows now
	From    int           `json:"from"`    // the first window that is told of here
	Start   int           `json:"start"`   // the first token that Text has
	Text    []string      `json:"text"`    // what each token completes
	Layers  []*layerReply `json:"layers"`  // none where there is no new window
	Next    string        `json:"next,omitempty"`
	More    bool          `json:"more"` // there is more to be told at once
}

// layerReply is one layer's part of it.
type layerReply struct {
	Reads  []int        `json:"reads"`                 // windows in which it read its pool
	Before []int        `json:"layer_reads,omitempty"` // and those in which it read the layers before it
	Notes  []*noteReply `json:"notes"`                 // that were in the pool at the beginning of a window told of
}

type noteReply struct {
	Position   int64   `json:"position"`
	Importance float32 `json:"importance"`
	Left       *int    `json:"left,omitempty"` // the window at whose beginning it was gone
}

// A reader is a request for notes while it is answered.
type reader struct {
	server *Server
	o      *opened
	window int
	tokens []int32
	first  int // the window to be told of first: no layer writes or reads before window 1
	last   int
	looked int // the window that was looked at last
	layers []*layerReply
	kept   *saved // the state at the end of what was read
	err    error
}

// notes answers POST /v1/notes.
func (s *Server) notes(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	model, _ := f.text("model")
	after, _ := f.text("after")
	stream := f.boolean("stream")
	var messages []chat.Message
	var text prompt
	answer := ""
	if f.has("messages") {
		messages, answer = readConversed(f)
	} else if all := readPrompts(f); len(all) == 1 {
		text = all[0]
	} else {
		f.fail("prompt", "notes are of one text")
	}
	if f.wrong != nil {
		return f.wrong
	}
	h, p := s.findHost(model)
	if p != nil {
		return p
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(errGone)
	leave, err := s.enter(cancel)
	if err != nil {
		return err
	}
	defer leave()
	o, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { h.release(o, err) }()
	n, err := newReader(o)
	if err == nil && messages != nil {
		n.tokens, err = conversed(o, messages, answer)
	} else if err == nil && (text.text == nil || *text.text != "") {
		var q question
		q, err = s.question(o, nil, text)
		n.tokens = q.tokens
	}
	if err != nil {
		return err
	}
	known, err := n.knows(after)
	if err != nil {
		return err
	}
	tell := n.whole
	if stream {
		tell = n.stream
	}
	err = tell(ctx, w, known)
	return err
}

// whole tells what is new in one answer, or the first part of it.
func (n *reader) whole(ctx context.Context, w http.ResponseWriter, known int) error {
	if err := n.read(ctx, known+1, mostNoteTokens); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, n.reply(known))
	return nil
}

// stream tells all that is new, as server-sent events, each as soon as it is read.
func (n *reader) stream(ctx context.Context, w http.ResponseWriter, known int) error {
	out := &eventWriter{w: w, c: http.NewResponseController(w)}
	for {
		if err := n.read(ctx, known+1, eventNoteTokens); err != nil {
			return out.fail(err)
		}
		one := n.reply(known)
		if err := out.send(one); err != nil {
			return err
		}
		if !one.More {
			return out.write("[DONE]\n")
		}
		known = n.last
		next, err := newReader(n.o)
		if err != nil {
			return out.fail(err)
		}
		next.tokens, next.kept = n.tokens, n.kept
		n = next
	}
}

// readConversed reads a conversation, and apart the answer that it ends with, if it does.
func readConversed(f *fields) (messages []chat.Message, answer string) {
	messages = readMessages(f)
	if f.wrong != nil || len(messages) == 1 {
		return messages, ""
	}
	values := f.list("messages", maxMessages)
	last := &fields{}
	json.Unmarshal(values[len(values)-1], &last.values) // it was read before
	if role, _ := last.text("role"); role != "assistant" {
		return messages, ""
	}
	return messages[:len(messages)-1], content(last, "assistant")
}

// newReader is one of a model that has a memory.
func newReader(o *opened) (*reader, error) {
	c, ok := o.model.Config().(*memmamba.Config)
	if !ok || c.Memory == nil {
		return nil, &problem{status: http.StatusBadRequest, kind: kindRequest, code: "no_memory", param: "model",
			message: "model " + strconv.Quote(o.host.Name) + " writes nothing down: it has no memory"}
	}
	n := &reader{o: o, server: o.host.server, window: c.Memory.Window}
	for l := range o.model.Sizes().Layers {
		layer := &layerReply{Reads: []int{}, Notes: []*noteReply{}}
		if c.Memory.Triggers(l) {
			layer.Before = []int{}
		}
		n.layers = append(n.layers, layer)
	}
	return n, nil
}

// conversed are the tokens of a conversation, with its last answer where the model writes it.
func conversed(o *opened, messages []chat.Message, answer string) ([]int32, error) {
	c, err := o.host.Template.render(o.model.Tokenizer(), messages)
	if err != nil || answer == "" {
		return c.tokens, err
	}
	ids, err := o.model.Tokenizer().EncodeWith(answer, tokenizer.Options{Continues: true, Literal: true, NoEnd: true})
	if err != nil {
		return nil, badField("messages", "%v", err)
	}
	return append(c.tokens, ids...), nil
}

// cursor stands for a window of which a client knows, and for all tokens before it.
func (n *reader) cursor(window int) string {
	sum := engine.Digest{}.Then(n.tokens[:window*n.window]...)
	return strconv.Itoa(window) + ":" + hex.EncodeToString(sum[:])
}

// knows is the last window that a client knows of: 0 where its cursor belongs to another text. A text that is too long is
// an error.
func (n *reader) knows(after string) (int, error) {
	if most := min(n.server.o.MaxContext, int(n.o.model.Sizes().MaxTokens)); len(n.tokens) > most {
		return 0, tooLong(int64(len(n.tokens)), int64(most))
	}
	if after == "" {
		return 0, nil
	}
	number, _, ok := strings.Cut(after, ":")
	window, err := strconv.Atoi(number)
	if !ok || err != nil || window < 0 {
		return 0, badField("after", "after: %s is nothing that an answer had as next", shown([]byte(after)))
	}
	if window >= (len(n.tokens)+n.window-1)/n.window || n.cursor(window) != after {
		return 0, nil
	}
	return window, nil
}

// read has the model read the text, and looks into its memory at the first token of every window from first on:
// then the notes of the window before are in the pools, and what is read is decided. It reads about as many tokens as
// most, and a window at least.
func (n *reader) read(ctx context.Context, first, most int) error {
	n.first = first
	n.last = max(0, (len(n.tokens)-1)/n.window)
	if n.last < first {
		return nil
	}
	n.last = min(n.last, first-1+max(1, most/n.window))
	model := n.o.model.Fingerprint()
	start := n.server.cache.longest(model, n.tokens[:first*n.window], n.kept)
	keep := &recorder{server: n.server, model: model}
	end := n.last*n.window + 1
	r := engine.Request{Prompt: n.tokens[start.at:end], LogProbs: -1, Every: stateEvery}
	for w := first; w <= n.last; w++ {
		r.Checkpoints = append(r.Checkpoints, w*n.window+1-int(start.at))
	}
	r.Checkpoint = func(state *engine.State) {
		if at := int(state.Position()); n.err == nil && at%n.window == 1%n.window && (at-1)/n.window >= max(first, n.looked+1) {
			n.looked = (at - 1) / n.window
			n.err = n.look(state, n.looked)
		}
		if at := state.Position(); at == int64(end) {
			n.kept = keep.keep(state, true)
		} else if at%stateEvery == 0 {
			keep.keep(state, false)
		}
	}
	one := &asked{o: n.o, settings: &settings{n: 1, logProbs: -1}}
	c, err := n.server.submit(ctx, one, question{}, r, start, 0)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.drain(ctx); err != nil {
		return err
	}
	return n.err
}

// look takes in what the layers have in their pools at the beginning of a window, and which read.
func (n *reader) look(state *engine.State, window int) error {
	memory, err := memmamba.Memory(state)
	if err != nil {
		return err
	}
	for l, layer := range n.layers {
		if memory[l].Reads {
			layer.Reads = append(layer.Reads, window)
		}
		if layer.Before != nil && memory[l].LayerReads {
			layer.Before = append(layer.Before, window)
		}
		layer.follow(window, memory[l].Notes)
	}
	return nil
}

// follow takes in a pool: notes that are new, and those that have gone.
func (l *layerReply) follow(window int, pool []memmamba.Note) {
	here := make(map[int64]bool, len(pool))
	for _, one := range pool {
		here[one.Position] = true
	}
	last := int64(-1)
	for _, one := range l.Notes {
		last = one.Position
		if one.Left == nil && !here[one.Position] {
			one.Left = &window
		}
	}
	for _, one := range pool { // by position, and those of a window come at once
		if one.Position > last {
			l.Notes = append(l.Notes, &noteReply{Position: one.Position, Importance: one.Importance})
		}
	}
}

// reply is the answer to a client that knows of windows up to one.
func (n *reader) reply(known int) notesReply {
	out := notesReply{Object: "notes", Model: n.o.host.Name, Tokens: len(n.tokens), Window: n.window, From: n.first, Start: known * n.window, Text: []string{}, Layers: []*layerReply{}}
	if len(n.tokens) == 0 {
		return out
	}
	end := len(n.tokens)
	if n.last >= n.first {
		out.Layers = n.layers
		out.More = (end-1)/n.window > n.last
		end = min(end, (n.last+1)*n.window)
	} else {
		n.last = known
	}
	out.Windows, out.Next = n.last+1, n.cursor(n.last)
	stream := n.o.model.Tokenizer().NewStream()
	for i, id := range n.tokens[:end] {
		if piece := stream.Push(id); i >= out.Start {
			out.Text = append(out.Text, piece)
		}
	}
	if len(out.Text) > 0 {
		out.Text[len(out.Text)-1] += stream.Flush()
	}
	return out
}
