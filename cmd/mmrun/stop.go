package main

import "strings"

// stopper cuts a stream of text at the first of some strings, wherever the pieces it arrives in
// are divided. It holds back only what may yet turn out to be the start of a stop string.
type stopper struct {
	stops []string
	held  string
}

// push takes a piece and returns the text that is now certain; stopped says a stop string was
// met, with everything before it returned.
func (s *stopper) push(piece string) (text string, stopped bool) {
	s.held += piece
	end := -1
	for _, stop := range s.stops {
		if at := strings.Index(s.held, stop); at >= 0 && (end < 0 || at < end) {
			end = at
		}
	}
	if end >= 0 {
		text, s.held = s.held[:end], ""
		return text, true
	}
	keep := s.undecided()
	text, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return text, false
}

// undecided is the length of the longest end of held that begins a stop string.
func (s *stopper) undecided() int {
	longest := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > longest; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// flush returns what was held back: no more text comes.
func (s *stopper) flush() string {
	text := s.held
	s.held = ""
	return text
}
