package tokenizer

import "unicode/utf8"

// Stream turns tokens into text as they come. The text is always complete UTF-8: bytes that only
// begin a character wait for the rest of it, and bytes that can no longer become one turn into
// U+FFFD, one for each maximal part of a character (the Unicode standard's recommendation).
type Stream struct {
	t    *Tokenizer
	held []byte
}

// NewStream returns a stream that has seen no token.
func (t *Tokenizer) NewStream() *Stream { return &Stream{t: t} }

// Push adds a token and returns the text that is complete now, which may be none. Special tokens
// and ids outside the vocabulary add nothing.
func (s *Stream) Push(id int32) string {
	if !s.t.known(id) || s.t.kinds[id] == special {
		return ""
	}
	s.held = append(s.held, s.t.bytes[id]...)
	return s.take()
}

// Flush ends the text: it returns U+FFFD if a character was left incomplete. The stream is as new
// after it.
func (s *Stream) Flush() string {
	broken := len(s.held) > 0
	s.held = s.held[:0]
	if broken {
		return string(utf8.RuneError)
	}
	return ""
}

// take removes from held, and returns as text, all but a begun character at the end.
func (s *Stream) take() string {
	var text []byte
	rest := s.held
	for len(rest) > 0 && utf8.FullRune(rest) {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			n = brokenPrefix(rest)
		}
		text = utf8.AppendRune(text, r)
		rest = rest[n:]
	}
	s.held = append(s.held[:0], rest...)
	return string(text)
}

// brokenPrefix returns how many bytes of p, which does not begin with a character, could have
// begun one before the byte that broke it.
func brokenPrefix(p []byte) int {
	n := 1
	for n < len(p) && !utf8.FullRune(p[:n+1]) {
		n++
	}
	return n
}
