package main

import (
	"strings"

	"github.com/mmrun/mmrun/tokenizer"
)

// Ways for a text to end, as finish_reason of --json.
const (
	finishLength      = "length"
	finishEOS         = "eos"
	finishStop        = "stop"
	finishInterrupted = "interrupted"
)

// writing is a text that is made token by token.
type writing struct {
	emit   func(text string) error // streams text out
	stop   stopper
	stream *tokenizer.Stream
	saves  bool // the state, to go on from

	tokens []int32
	text   strings.Builder
	finish string // how it ended; empty before
}

// silent is the emit of what is printed at the end.
func silent(string) error { return nil }

// add takes a token; with the first of the stop texts the text has ended.
func (w *writing) add(id int32) error {
	w.tokens = append(w.tokens, id)
	return w.write(w.stream.Push(id))
}

// write streams a piece of text, unless it belongs to a stop text.
func (w *writing) write(piece string) error {
	text, stopped := w.stop.push(piece)
	if stopped {
		w.finish = finishStop
	}
	return w.show(text)
}

func (w *writing) show(text string) error {
	if text == "" {
		return nil
	}
	w.text.WriteString(text)
	return w.emit(text)
}

// end writes the text that was held back and says how it ended, of so many tokens at the most.
func (w *writing) end(most int, interrupted bool) error {
	rest := w.stream.Flush()
	if w.saves { // the run that goes on ends the character
		rest = ""
	}
	if w.finish == "" {
		if err := w.write(rest); err != nil {
			return err
		}
	}
	if err := w.show(w.stop.flush()); err != nil {
		return err
	}
	switch {
	case interrupted:
		w.finish = finishInterrupted
	case w.finish == "" && len(w.tokens) == most:
		w.finish = finishLength
	case w.finish == "":
		w.finish = finishEOS
	}
	return nil
}
