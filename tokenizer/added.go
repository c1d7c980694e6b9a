package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// added is a token that is looked for in the text itself, before any splitting.
type added struct {
	id                         int32
	singleWord, lstrip, rstrip bool
	special                    bool
}

// matcher finds added tokens: the leftmost, and of those that begin there the longest.
type matcher struct {
	first [256]*node
	empty bool
}

// node is a node of the trie over the tokens' bytes.
type node struct {
	next  map[byte]*node
	token *added
}

func newMatcher() *matcher { return &matcher{empty: true} }

// add registers a token under its content, which is not empty. The first of equals stays.
func (m *matcher) add(content string, token added) {
	m.empty = false
	if m.first[content[0]] == nil {
		m.first[content[0]] = &node{}
	}
	n := m.first[content[0]]
	for i := 1; i < len(content); i++ {
		child := n.next[content[i]]
		if child == nil {
			child = &node{}
			if n.next == nil {
				n.next = map[byte]*node{}
			}
			n.next[content[i]] = child
		}
		n = child
	}
	if n.token == nil {
		n.token = &token
	}
}

// longest returns the longest token that text begins with and that is allowed, and its length in bytes.
func (m *matcher) longest(text string, allowed func(t *added, size int) bool) (token *added, size int) {
	n := m.first[text[0]]
	for i := 1; n != nil; i++ {
		if n.token != nil && allowed(n.token, i) {
			token, size = n.token, i
		}
		if i == len(text) {
			break
		}
		n = n.next[text[i]]
	}
	return token, size
}

// search is what split asks and tells.
type search struct {
	allowed func(t *added, from, to int) bool // whether the token may stand there
	token   func(id int32)
	piece   func(from, to int) error // text between tokens
}

// split cuts text at its added tokens and reports tokens and the pieces between them in order.
// White space that a token strips belongs to the token. Tokens that lie in what another strips behind itself
// are found there all the same, and the text goes on after them, as Hugging Face has it.
func (m *matcher) split(text string, s search) error {
	done := 0
	for i := 0; i < len(text) && !m.empty; {
		t, size := m.longest(text[i:], func(t *added, size int) bool { return s.allowed(t, i, i+size) })
		if t == nil {
			i++
			continue
		}
		from, to := i, i+size
		i = to
		if t.singleWord && (endsWithWord(text[:from]) || beginsWithWord(text[to:])) {
			continue
		}
		if t.lstrip {
			from = max(done, len(strings.TrimRightFunc(text[:from], unicode.IsSpace)))
		}
		if t.rstrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if done < from {
			if err := s.piece(done, from); err != nil {
				return err
			}
		}
		s.token(t.id)
		done = to
	}
	if done == len(text) {
		return nil
	}
	return s.piece(done, len(text))
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func beginsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord is Unicode's definition of a word character (UTS 18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc,
		unicode.Other_Alphabetic, unicode.Join_Control)
}
