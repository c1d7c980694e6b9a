package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads a grammar in GBNF, as llama.cpp's guide describes it: the text is what the rule "root" says. A rule that
// begins with itself (left recursion) is an error. Errors name the line.
func Parse(gbnf string) (*Grammar, error) {
	if len(gbnf) > MaxSource {
		return nil, tooLarge(fmt.Sprintf("grammar: %d bytes, at most %d", len(gbnf), MaxSource))
	}
	if !utf8.ValidString(gbnf) {
		return nil, fmt.Errorf("grammar: it is not UTF-8")
	}
	p := &gbnfParser{text: gbnf}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("grammar: line %d: %w", 1+strings.Count(gbnf[:p.at], "\n"), err)
	}
	root, ok := p.rules.index["root"]
	if !ok {
		return nil, fmt.Errorf("grammar: there is no rule %q", "root")
	}
	for i, body := range p.rules.bodies {
		if body == nil {
			return nil, fmt.Errorf("grammar: rule %q is used and not there", p.rules.names[i])
		}
	}
	g, err := compile(&p.rules, root)
	if err != nil {
		return nil, fmt.Errorf("grammar: %w", err)
	}
	return g, nil
}

// deepest is how deep parentheses may stand in each other, and schemas.
const deepest = 200

// gbnfParser reads GBNF.
type gbnfParser struct {
	text  string
	at    int
	depth int // of parentheses
	rules rules
}

func (p *gbnfParser) parse() error {
	p.space(true)
	for p.at < len(p.text) {
		if err := p.rule(); err != nil {
			return err
		}
		p.space(true)
	}
	return nil
}

// peek is the next byte, 0 at the end.
func (p *gbnfParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// take takes what comes next if it is s.
func (p *gbnfParser) take(s string) bool {
	if strings.HasPrefix(p.text[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

// space passes over white space and comments, and with lines over ends of lines.
func (p *gbnfParser) space(lines bool) {
	for {
		switch c := p.peek(); {
		case c == ' ' || c == '\t' || lines && (c == '\r' || c == '\n'):
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
				p.at++
			}
		default:
			return
		}
	}
}

// found names what stands where something else should.
func (p *gbnfParser) found() string {
	if p.at == len(p.text) {
		return "the end"
	}
	rest := p.text[p.at:]
	if end := strings.IndexAny(rest, "\r\n"); end > 0 {
		rest = rest[:end]
	}
	if len(rest) > 20 {
		rest = strings.ToValidUTF8(rest[:20], "") + "…"
	}
	return strconv.Quote(rest)
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func (p *gbnfParser) name() string {
	from := p.at
	for nameByte(p.peek()) {
		p.at++
	}
	return p.text[from:p.at]
}

// rule reads a rule up to the end of its last line.
func (p *gbnfParser) rule() error {
	name := p.name()
	if name == "" {
		return fmt.Errorf("the name of a rule is expected, found %s", p.found())
	}
	p.space(false)
	if !p.take("::=") {
		return fmt.Errorf("::= is expected after %q, found %s", name, p.found())
	}
	p.space(true)
	body, err := p.alternatives(false)
	if err != nil {
		return err
	}
	if c := p.peek(); p.at < len(p.text) && c != '\r' && c != '\n' {
		return fmt.Errorf("the end of rule %q is expected, found %s", name, p.found())
	}
	i := p.rules.rule(name)
	if p.rules.bodies[i] != nil {
		return fmt.Errorf("rule %q is there twice", name)
	}
	p.rules.bodies[i] = body
	return nil
}

func (p *gbnfParser) alternatives(nested bool) (*expr, error) {
	first, err := p.sequence(nested)
	if err != nil || p.peek() != '|' {
		return first, err
	}
	all := alt(first)
	for p.take("|") {
		p.space(true)
		next, err := p.sequence(nested)
		if err != nil {
			return nil, err
		}
		all.subs = append(all.subs, next)
	}
	return all, nil
}

// sequence reads symbols and what repeats them.
func (p *gbnfParser) sequence(nested bool) (*expr, error) {
	all := seq()
	for {
		min, max, repeats, err := p.repetition(nested)
		if err != nil {
			return nil, err
		}
		if repeats {
			last := len(all.subs) - 1
			if last < 0 {
				return nil, fmt.Errorf("there is nothing to repeat before %s", p.found())
			}
			all.subs[last] = repeat(all.subs[last], min, max)
			continue
		}
		e, err := p.symbol()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return all, nil
		}
		all.subs = append(all.subs, e)
		p.space(nested)
	}
}

// repetition reads what repeats the symbol before, if that comes next.
func (p *gbnfParser) repetition(nested bool) (min, max int, ok bool, err error) {
	switch {
	case p.take("*"):
		max = unlimited
	case p.take("+"):
		min, max = 1, unlimited
	case p.take("?"):
		max = 1
	case p.take("{"):
		if min, max, err = p.bounds(nested); err != nil {
			return 0, 0, false, err
		}
	default:
		return 0, 0, false, nil
	}
	p.space(nested)
	return min, max, true, nil
}

// bounds reads m}, m,} or m,n}; {,n} is read as {0,n}.
func (p *gbnfParser) bounds(nested bool) (min, max int, err error) {
	p.space(nested)
	if p.peek() != ',' {
		if min, err = p.number(); err != nil {
			return 0, 0, err
		}
	}
	max = min
	p.space(nested)
	if p.take(",") {
		p.space(nested)
		if max = unlimited; p.peek() != '}' {
			if max, err = p.number(); err != nil {
				return 0, 0, err
			}
		}
		p.space(nested)
	}
	if !p.take("}") {
		return 0, 0, fmt.Errorf("} is expected, found %s", p.found())
	}
	if max != unlimited && max < min {
		return 0, 0, fmt.Errorf("{%d,%d}: the most is below the least", min, max)
	}
	return min, max, nil
}

// maxRepeat is the highest bound of a repetition.
const maxRepeat = 1 << 30

func (p *gbnfParser) number() (int, error) {
	from := p.at
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.at++
	}
	digits := p.text[from:p.at]
	if digits == "" {
		return 0, fmt.Errorf("a number is expected, found %s", p.found())
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > maxRepeat {
		return 0, fmt.Errorf("%s is more than %d", digits, maxRepeat)
	}
	return n, nil
}
