package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// setItem is a member of a set: a range of characters, a class, or a set of its own.
type setItem struct {
	from, to rune
	class    *charClass
	negate   bool
	inner    *charSet
}

// charClass is a named class: how the engine writes it, "" where it has no word for it, and its members.
type charClass struct {
	word    string // with lower case \p, \d, \s for the class itself
	members runeSet
}

// charSet is what stands in brackets: the common part of unions.
type charSet struct {
	negate bool
	unions [][]setItem
}

// set reads a set in brackets.
func (t *translator) set() error {
	s, err := t.readSet(0)
	if err != nil {
		return err
	}
	if text, ok := s.flat(); ok {
		head := "["
		if s.negate {
			head = "[^"
		}
		t.emit(head + text + "]")
		return nil
	}
	members := s.members()
	if len(members) == 0 {
		t.emit("(?!)")
		return nil
	}
	t.emit("[" + members.text() + "]")
	return nil
}

func (t *translator) readSet(depth int) (*charSet, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("more than %d sets inside one another", maxNesting)
	}
	s := &charSet{unions: [][]setItem{nil}}
	t.at++
	if t.peek(0) == '^' {
		s.negate = true
		t.at++
	}
	for first := true; ; first = false {
		last := &s.unions[len(s.unions)-1]
		c := t.peek(0)
		switch {
		case t.at >= len(t.in):
			return nil, errors.New("a set is not closed")
		case c == ']' && !first:
			t.at++
			return s, nil
		case c == '[' && t.peek(1) == ':' && t.posix(last):
		case c == '[':
			inner, err := t.readSet(depth + 1)
			if err != nil {
				return nil, err
			}
			*last = append(*last, setItem{inner: inner})
		case c == '&' && t.peek(1) == '&':
			t.at += 2
			s.unions = append(s.unions, nil)
		default:
			if err := t.setRange(last); err != nil {
				return nil, err
			}
		}
	}
}

// setRange reads a character, a class, or a range of characters.
func (t *translator) setRange(items *[]setItem) error {
	low, err := t.setChar()
	if err != nil {
		return err
	}
	isRange := low.class == nil && t.peek(0) == '-' && t.peek(1) != ']' && t.at+1 < len(t.in)
	if isRange && !(t.peek(1) == '[') && !(t.peek(1) == '&' && t.peek(2) == '&') {
		t.at++
		high, err := t.setChar()
		switch {
		case err != nil:
			return err
		case high.class != nil:
			return errors.New("a class at the end of a range")
		case high.from < low.from:
			return fmt.Errorf("the range %q to %q is empty", low.from, high.from)
		}
		low.to = high.from
	}
	*items = append(*items, low)
	return nil
}

func (t *translator) setChar() (setItem, error) {
	c := t.peek(0)
	if c == '\\' {
		if t.at+1 == len(t.in) {
			return setItem{}, errors.New("a backslash at the end")
		}
		return t.escaped()
	}
	t.at++
	return setItem{from: c, to: c}, nil
}

// escaped reads an escape that may stand in a set and outside.
func (t *translator) escaped() (setItem, error) {
	c := t.peek(1)
	t.at += 2
	char := func(r rune) setItem { return setItem{from: r, to: r} }
	switch c {
	case 'd', 'D', 's', 'S', 'w', 'W', 'h', 'H':
		class := escapeClasses()[unicode.ToLower(c)]
		return setItem{class: class, negate: unicode.IsUpper(c)}, nil
	case 'p', 'P':
		if t.peek(0) == '{' {
			return t.property(c == 'P')
		}
	case 'x':
		if t.peek(0) != '{' {
			r, err := t.hex(2)
			return char(r), err
		}
		t.at++
		r, err := t.hex(8)
		if err == nil && t.peek(0) != '}' {
			err = errors.New(`a \x{ is not closed`)
		}
		t.at++
		return char(r), err
	case 'u':
		r, err := t.hex(4)
		return char(r), err
	case '0':
		return char(0), nil
	}
	if i := strings.IndexRune("tnrfvaeb", c); i >= 0 {
		return char(rune("\t\n\r\f\v\a\x1B\b"[i])), nil
	}
	return char(c), nil
}

// property reads the name of \p{...}.
func (t *translator) property(negate bool) (setItem, error) {
	end := slices.Index(t.in[t.at:], '}')
	if end < 0 {
		return setItem{}, errors.New(`a \p{ is not closed`)
	}
	name := string(t.in[t.at+1 : t.at+end])
	t.at += end + 1
	if rest, ok := strings.CutPrefix(name, "^"); ok {
		name, negate = rest, !negate
	}
	class := classByName(name)
	if class == nil {
		return setItem{}, fmt.Errorf("the class %q is not known", name)
	}
	return setItem{class: class, negate: negate}, nil
}

// posix reads a class such as [:alpha:], if that is what stands here.
func (t *translator) posix(items *[]setItem) bool {
	end := t.at + 2
	for end < len(t.in) && t.in[end] != ':' && t.in[end] != ']' {
		end++
	}
	if end+1 >= len(t.in) || t.in[end] != ':' || t.in[end+1] != ']' {
		return false
	}
	name, negate := strings.CutPrefix(string(t.in[t.at+2:end]), "^")
	class := posixClasses()[name]
	if class == nil {
		return false
	}
	t.at = end + 2
	*items = append(*items, setItem{class: class, negate: negate})
	return true
}

// flat returns a set as the engine writes it, without the brackets; false where it has no way to.
func (s *charSet) flat() (string, bool) {
	if len(s.unions) > 1 {
		return "", false
	}
	var out strings.Builder
	for _, item := range s.unions[0] {
		switch {
		case item.inner != nil:
			text, ok := item.inner.flat()
			if !ok || item.inner.negate {
				return "", false
			}
			out.WriteString(text)
		case item.class != nil && item.class.word == "" && item.negate:
			return "", false
		default:
			out.WriteString(item.text())
		}
	}
	return out.String(), out.Len() > 0
}

// text is the item inside brackets. It has no inner set.
func (i setItem) text() string {
	switch {
	case i.class == nil:
		return runeSet{{i.from, i.to}}.text()
	case i.class.word != "" && i.negate:
		return `\` + strings.ToUpper(i.class.word[1:2]) + i.class.word[2:]
	case i.class.word != "":
		return i.class.word
	case i.negate:
		return i.class.members.complement().text()
	}
	return i.class.members.text()
}

// members works the set out.
func (s *charSet) members() runeSet {
	out := runeSet{{0, unicode.MaxRune}}
	for _, union := range s.unions {
		var all runeSet
		for _, item := range union {
			switch {
			case item.inner != nil:
				all = append(all, item.inner.members()...)
			case item.class != nil && item.negate:
				all = append(all, item.class.members.complement()...)
			case item.class != nil:
				all = append(all, item.class.members...)
			default:
				all = append(all, [2]rune{item.from, item.to})
			}
		}
		out = out.intersect(all.normal())
	}
	if s.negate {
		return out.complement()
	}
	return out
}
