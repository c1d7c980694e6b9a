package mmrun

import (
	"strings"

	"github.com/mmrun/mmrun/tokenizer"
)

// Finish is how a text ended.
type Finish string

// The ways for a text to end.
const (
	FinishLength      Finish = "length"      // it has as many tokens as were asked for
	FinishEOS         Finish = "eos"         // the model ended it
	FinishStop        Finish = "stop"        // a stop string came
	FinishInterrupted Finish = "interrupted" // by the caller's context
)

// A Text is one that is made token by token: it holds back characters that are not whole yet, and what may be the
// beginning of a stop string.
type Text struct {
	Stop   []string // the text ends before the first of them; none may be empty
	Tokens []int32  // so far
	Finish Finish   // how it ended; empty before

	stream *tokenizer.Stream
	held   string
	text   strings.Builder
}

// unfinishedTokens are more than a character that is not complete yet is made of.
const unfinishedTokens = 16

// NewText returns an empty text. It follows recent tokens, if there are any: a character that these left unfinished
// goes on.
func NewText(t *tokenizer.Tokenizer, stop []string, recent ...int32) *Text {
	w := &Text{Stop: stop, stream: t.ContinueStream()}
	for _, id := range recent[max(0, len(recent)-unfinishedTokens):] {
		w.stream.Push(id) // its text was written before
	}
	return w
}

// begin takes text that comes before the first token and returns what is certain of it.
func (w *Text) begin(held string) (piece string) { return w.show(w.decide(held)) }

// Add takes a token and returns the text that is certain with it. With a stop string the text has ended: Finish is
// set.
func (w *Text) Add(id int32) (piece string) {
	w.Tokens = append(w.Tokens, id)
	return w.show(w.decide(w.stream.Push(id)))
}

// End returns the text that was held back and sets Finish, unless it is set: most is how many tokens there could
// have been. With goesOn the last character may be ended by tokens that follow later, and is left to them.
func (w *Text) End(most int, interrupted, goesOn bool) (piece string) {
	rest := w.stream.Flush()
	if goesOn {
		rest = ""
	}
	if w.Finish == "" {
		piece = w.decide(rest)
	}
	piece += w.held
	w.held = ""
	switch {
	case interrupted:
		w.Finish = FinishInterrupted
	case w.Finish == "" && len(w.Tokens) == most:
		w.Finish = FinishLength
	case w.Finish == "":
		w.Finish = FinishEOS
	}
	return w.show(piece)
}

// Decoded is how many bytes of text the tokens so far make, with what is held back to see whether a stop string
// begins with it, and without a character that is not whole.
func (w *Text) Decoded() int { return w.text.Len() + len(w.held) }

// String is the text so far, without what is held back.
func (w *Text) String() string { return w.text.String() }

func (w *Text) show(piece string) string {
	w.text.WriteString(piece)
	return piece
}

// decide takes a piece and returns what is certain now.
func (w *Text) decide(piece string) string {
	w.held += piece
	end := -1
	for _, stop := range w.Stop {
		if at := strings.Index(w.held, stop); at >= 0 && (end < 0 || at < end) {
			end = at
		}
	}
	if end >= 0 {
		piece, w.held = w.held[:end], ""
		w.Finish = FinishStop
		return piece
	}
	keep := w.undecided()
	piece, w.held = w.held[:len(w.held)-keep], w.held[len(w.held)-keep:]
	return piece
}

// undecided is the length of the longest end of what is held that begins a stop string.
func (w *Text) undecided() int {
	longest := 0
	for _, stop := range w.Stop {
		for n := min(len(stop)-1, len(w.held)); n > longest; n-- {
			if strings.HasSuffix(w.held, stop[:n]) {
				longest = n
			}
		}
	}
	return longest
}
