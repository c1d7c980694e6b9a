package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// symbol reads a symbol; nil where none begins.
func (p *gbnfParser) symbol() (*expr, error) {
	switch c := p.peek(); {
	case c == '"':
		return p.literal()
	case c == '[':
		return p.class()
	case c == '(':
		return p.group()
	case c == '.':
		p.at++
		return runes(anyRune), nil
	case c == '<' || c == '!':
		return p.tokenSymbol()
	case nameByte(c):
		return call(p.rules.rule(p.name())), nil
	}
	return nil, nil
}

func (p *gbnfParser) group() (*expr, error) {
	p.at++
	if p.depth++; p.depth > deepest {
		return nil, fmt.Errorf("more than %d parentheses stand in each other", deepest)
	}
	p.space(true)
	e, err := p.alternatives(true)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf(") is expected, found %s", p.found())
	}
	p.depth--
	return e, nil
}

func (p *gbnfParser) literal() (*expr, error) {
	p.at++
	var s strings.Builder
	for !p.take(`"`) {
		r, err := p.char()
		if err != nil {
			return nil, err
		}
		s.WriteRune(r)
	}
	return text(s.String()), nil
}

func (p *gbnfParser) class() (*expr, error) {
	p.at++
	except := p.take("^")
	var ranges []runeRange
	for !p.take("]") {
		lo, err := p.char()
		if err != nil {
			return nil, err
		}
		hi := lo
		if rest := p.text[p.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			p.at++
			if hi, err = p.char(); err != nil {
				return nil, err
			}
			if hi < lo {
				return nil, fmt.Errorf("the range from %q to %q is empty", lo, hi)
			}
		}
		ranges = append(ranges, runeRange{lo, hi})
	}
	set := newSet(ranges...)
	if except {
		set = set.not()
	}
	return runes(set), nil
}

// char reads a character of a literal or a class.
func (p *gbnfParser) char() (rune, error) {
	rest := p.text[p.at:]
	if rest == "" {
		return 0, fmt.Errorf("a literal or a class does not end")
	}
	if rest[0] != '\\' {
		r, n := utf8.DecodeRuneInString(rest)
		p.at += n
		return r, nil
	}
	if len(rest) < 2 {
		return 0, fmt.Errorf("an escape does not end")
	}
	switch c := rest[1]; c {
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'U':
		return p.hex(8)
	case 't', 'r', 'n':
		p.at += 2
		return map[byte]rune{'t': '\t', 'r': '\r', 'n': '\n'}[c], nil
	case '\\', '"', '[', ']', '-', '^':
		p.at += 2
		return rune(c), nil
	}
	return 0, fmt.Errorf("the escape %s is unknown", p.found())
}

// hex reads an escape of n digits.
func (p *gbnfParser) hex(n int) (rune, error) {
	rest := p.text[p.at+2:]
	if len(rest) < n {
		return 0, fmt.Errorf("the escape %s needs %d digits", p.found(), n)
	}
	value, err := strconv.ParseUint(rest[:n], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("the escape %s needs %d digits", p.found(), n)
	}
	if !utf8.ValidRune(rune(min(value, utf8.MaxRune+1))) {
		return 0, fmt.Errorf("the escape %s is no character", p.found())
	}
	p.at += 2 + n
	return rune(value), nil
}

// tokenSymbol reads <[7]> or <think>, with ! in front for every token but that.
func (p *gbnfParser) tokenSymbol() (*expr, error) {
	name := tokenName{id: -1, except: p.take("!")}
	rest := p.text[p.at:]
	end := strings.IndexByte(rest, '>')
	if !strings.HasPrefix(rest, "<") || end < 0 || strings.ContainsAny(rest[:end], "\r\n") {
		return nil, fmt.Errorf("a token such as <think> or <[7]> is expected, found %s", p.found())
	}
	name.text = rest[:end+1]
	if digits, ok := strings.CutPrefix(rest[:end], "<["); ok {
		id, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 31)
		if err != nil || !strings.HasSuffix(digits, "]") {
			return nil, fmt.Errorf("a token such as <[7]> is expected, found %s", p.found())
		}
		name.id, name.text = int32(id), ""
	}
	p.at += end + 1
	return &expr{op: opToken, token: name}, nil
}
