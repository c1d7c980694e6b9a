package chat

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokData
	tokBlockBegin
	tokBlockEnd
	tokVarBegin
	tokVarEnd
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
)

// token is a part of a template. text is a name, an operator, the value of a string, or the digits of a
// number.
type token struct {
	kind tokenKind
	text string
	line int
}

// lexer cuts a template into tokens, with Hugging Face's settings: the line break behind a block goes, and
// so do spaces in front of one that begins a line.
type lexer struct {
	src       string
	at, line  int
	tokens    []token
	lineStart bool // what was read last ended a line
}

// lex returns the tokens of a template.
func lex(src string) ([]token, error) {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	src = strings.ReplaceAll(src, "\r", "\n")
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1, lineStart: true}
	for l.at < len(l.src) {
		if err := l.text(); err != nil {
			return nil, err
		}
	}
	l.add(tokEnd, "")
	return l.tokens, nil
}

func (l *lexer) add(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind, text, l.line})
}

// skip moves on by n bytes.
func (l *lexer) skip(n int) {
	part := l.src[l.at : l.at+n]
	l.line += strings.Count(part, "\n")
	l.at += n
	if n > 0 {
		l.lineStart = part[n-1] == '\n'
	}
}

func (l *lexer) rest() string { return l.src[l.at:] }

func (l *lexer) errorf(format string, args ...any) error {
	return &Error{Line: l.line, Message: fmt.Sprintf(format, args...)}
}

// text reads template text up to the next tag, and that tag.
func (l *lexer) text() error {
	from := 0
	for {
		i := strings.IndexByte(l.rest()[from:], '{')
		if i < 0 || from+i+1 == len(l.rest()) {
			l.data(len(l.rest()), 0)
			return nil
		}
		from += i
		if strings.IndexByte("{%#", l.rest()[from+1]) >= 0 {
			break
		}
		from++
	}
	kind := l.rest()[from+1]
	var sign byte
	if from+2 < len(l.rest()) && strings.IndexByte("+-", l.rest()[from+2]) >= 0 && !(kind == '{' && l.rest()[from+2] == '+') {
		sign = l.rest()[from+2]
	}
	l.data(from, strip{sign, kind != '{'}.end(l.rest()[:from], l.lineStart))
	n := 2
	if sign != 0 {
		n++
	}
	switch {
	case kind == '#':
		l.skip(n)
		return l.comment()
	case kind == '{':
		l.add(tokVarBegin, "")
		l.skip(n)
		return l.inside('}')
	}
	if size := rawTag(l.rest()[n:], "raw"); size > 0 {
		l.skip(n)
		return l.raw(size)
	}
	l.add(tokBlockBegin, "")
	l.skip(n)
	return l.inside('%')
}

// strip says what a tag takes off the text in front of it.
type strip struct {
	sign  byte
	block bool
}

// end returns how many bytes go off the end of the text.
func (s strip) end(text string, lineStart bool) int {
	switch {
	case s.sign == '-':
		return len(text) - len(strings.TrimRightFunc(text, isSpace))
	case s.sign == '+' || !s.block:
		return 0
	}
	at := strings.LastIndexByte(text, '\n') + 1
	if (at > 0 || lineStart) && strings.TrimLeftFunc(text[at:], isSpace) == "" {
		return len(text) - at
	}
	return 0
}

func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }

// data takes n bytes as text, less cut at their end.
func (l *lexer) data(n, cut int) {
	if n > cut {
		l.add(tokData, l.rest()[:n-cut])
	}
	l.skip(n)
}

// comment skips to the end of a comment.
func (l *lexer) comment() error {
	i := strings.Index(l.rest(), "#}")
	if i < 0 {
		return l.errorf("a comment is not closed")
	}
	var sign byte
	if i > 0 {
		sign = l.rest()[i-1]
	}
	l.skip(i + 2)
	l.after(sign, true)
	return nil
}

// after takes off what a tag takes off the text behind it.
func (l *lexer) after(sign byte, block bool) {
	switch {
	case sign == '-':
		l.skip(len(l.rest()) - len(strings.TrimLeftFunc(l.rest(), isSpace)))
	case block && sign != '+' && strings.HasPrefix(l.rest(), "\n"):
		l.skip(1)
	}
}

// rawTag returns the length of " raw -%}" at the start of s, 0 when it is something else.
func rawTag(s, name string) int {
	rest := strings.TrimLeftFunc(s, isSpace)
	rest, ok := strings.CutPrefix(rest, name)
	if !ok {
		return 0
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	if len(rest) > 0 && strings.IndexByte("+-", rest[0]) >= 0 {
		rest = rest[1:]
	}
	if rest, ok = strings.CutPrefix(rest, "%}"); !ok {
		return 0
	}
	return len(s) - len(rest)
}

// raw reads text that is no template, up to {% endraw %}.
func (l *lexer) raw(size int) error {
	sign := l.rest()[size-3]
	l.skip(size)
	if sign == '-' {
		l.after('-', true)
	}
	for from := 0; ; from += 2 {
		i := strings.Index(l.rest()[from:], "{%")
		if i < 0 {
			return l.errorf("a raw block is not closed")
		}
		from += i
		n := 2
		var front byte
		if from+2 < len(l.rest()) && strings.IndexByte("+-", l.rest()[from+2]) >= 0 {
			front = l.rest()[from+2]
			n++
		}
		size := rawTag(l.rest()[from+n:], "endraw")
		if size == 0 {
			continue
		}
		l.data(from, strip{front, true}.end(l.rest()[:from], l.lineStart))
		back := l.rest()[n+size-3]
		l.skip(n + size)
		l.after(back, true)
		return nil
	}
}

// operators, the longer ones first.
var operators = []string{"**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
	">", "<", "=", ".", ":", "|", ",", ";"}

// inside reads an expression or statement up to its end, "}}" or "%}".
func (l *lexer) inside(end byte) error {
	open := []byte{}
	for {
		l.skip(len(l.rest()) - len(strings.TrimLeftFunc(l.rest(), isSpace)))
		rest := l.rest()
		if rest == "" {
			return l.errorf("a tag is not closed")
		}
		if len(open) == 0 || end == '%' {
			if n, sign := tagEnd(rest, end); n > 0 {
				l.add(map[byte]tokenKind{'}': tokVarEnd, '%': tokBlockEnd}[end], "")
				l.skip(n)
				l.after(sign, end == '%')
				return nil
			}
		}
		n, err := l.one(rest)
		if err != nil {
			return err
		}
		if last := l.tokens[len(l.tokens)-1]; last.kind == tokOp {
			if open, err = l.balance(open, last.text); err != nil {
				return err
			}
		}
		l.skip(n)
	}
}

// tagEnd returns the length of the end of a tag at the start of s, 0 when it is something else.
func tagEnd(s string, end byte) (n int, sign byte) {
	if s[0] == '-' || s[0] == '+' && end == '%' {
		sign = s[0]
		s = s[1:]
		n = 1
	}
	if len(s) >= 2 && s[0] == end && s[1] == '}' {
		return n + 2, sign
	}
	return 0, 0
}

// balance keeps the brackets that are open.
func (l *lexer) balance(open []byte, op string) ([]byte, error) {
	switch op {
	case "(", "[", "{":
		if len(open) >= maxDepth {
			return nil, l.errorf("more than %d brackets inside one another", maxDepth)
		}
		return append(open, map[string]byte{"(": ')', "[": ']', "{": '}'}[op]), nil
	case ")", "]", "}":
		if len(open) == 0 || open[len(open)-1] != op[0] {
			return nil, l.errorf("unexpected '%s'", op)
		}
		return open[:len(open)-1], nil
	}
	return open, nil
}

// one reads one token and returns its length.
func (l *lexer) one(s string) (int, error) {
	r, _ := utf8.DecodeRuneInString(s)
	switch {
	case r == '\'' || r == '"':
		return l.quoted(s)
	case '0' <= r && r <= '9':
		return l.number(s), nil
	case r == '_' || unicode.IsLetter(r):
		n := len(s) - len(strings.TrimLeftFunc(s, func(r rune) bool {
			return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.M, r)
		}))
		l.add(tokName, s[:n])
		return n, nil
	}
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			l.add(tokOp, op)
			return len(op), nil
		}
	}
	return 0, l.errorf("unexpected char %q", r)
}

// number reads a whole number or one with a point or an exponent.
func (l *lexer) number(s string) int {
	digits := func(from int, is func(byte) bool) int {
		for from < len(s) && (is(s[from]) || s[from] == '_' && from+1 < len(s) && is(s[from+1])) {
			from++
		}
		return from
	}
	decimal := func(b byte) bool { return '0' <= b && b <= '9' }
	if len(s) > 2 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0 {
		n := digits(2, func(b byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", b) >= 0 })
		l.add(tokInt, s[:n])
		return n
	}
	n := digits(0, decimal)
	kind := tokInt
	if n+1 < len(s) && s[n] == '.' && decimal(s[n+1]) {
		n, kind = digits(n+1, decimal), tokFloat
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		from := n + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if from < len(s) && decimal(s[from]) {
			n, kind = digits(from, decimal), tokFloat
		}
	}
	l.add(kind, strings.ReplaceAll(s[:n], "_", ""))
	return n
}

// quoted reads a string with Python's escapes.
func (l *lexer) quoted(s string) (int, error) {
	var out strings.Builder
	for i := 1; i < len(s); {
		switch {
		case s[i] == s[0]:
			l.add(tokString, out.String())
			return i + 1, nil
		case s[i] != '\\':
			out.WriteByte(s[i])
			i++
		case i+1 < len(s):
			text, n, err := unescape(s[i:])
			if err != nil {
				return 0, l.errorf("%v", err)
			}
			out.WriteString(text)
			i += n
		default:
			i++
		}
	}
	return 0, l.errorf("a string is not closed")
}

// unescape reads one escape at the start of s, which has two bytes at least.
func unescape(s string) (string, int, error) {
	if i := strings.IndexByte(`\'"abfnrtv`, s[1]); i >= 0 {
		return "\\'\"\a\b\f\n\r\t\v"[i : i+1], 2, nil
	}
	if s[1] == '\n' {
		return "", 2, nil
	}
	if size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]; size > 0 {
		if len(s) >= 2+size {
			if n, err := strconv.ParseUint(s[2:2+size], 16, 32); err == nil && n <= unicode.MaxRune {
				return string(rune(n)), 2 + size, nil
			}
		}
		return "", 0, fmt.Errorf("a broken escape \\%c in a string", s[1])
	}
	n := 1
	for n < 4 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
		n++
	}
	if n > 1 {
		code, err := strconv.ParseUint(s[1:n], 8, 32)
		return string(rune(code)), n, err
	}
	return s[:1], 1, nil // no escape: the backslash stays
}
