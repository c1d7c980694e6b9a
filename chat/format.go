package chat

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth bounds what a format may ask for.
const maxWidth = 1000

// percent is Python's "..." % values.
func (m *machine) percent(t text, v any) (any, error) {
	values := []any{v}
	if l, ok := v.(*list); ok && l.tuple {
		values = l.items
	}
	d, _ := v.(*dict)
	var b builder
	rest, used := t, 0
	for {
		i := strings.IndexByte(rest.s, '%')
		if i < 0 {
			b.add(rest)
			break
		}
		b.add(rest.cut(0, i))
		spec, size, err := parsePercent(rest.s[i:])
		if err != nil {
			return nil, err
		}
		rest = rest.cut(i+size, len(rest.s))
		if spec.verb == '%' {
			b.own("%")
			continue
		}
		var value any
		switch {
		case spec.key != nil && d != nil:
			value = d.at(text{s: *spec.key})
		case used < len(values):
			value = values[used]
			used++
		default:
			return nil, fmt.Errorf("not enough arguments for format string")
		}
		out, err := m.formatted(spec, value)
		if err != nil {
			return nil, err
		}
		b.add(out)
		if err := m.step(b.b.Len()); err != nil {
			return nil, err
		}
	}
	if used < len(values) && d == nil {
		return nil, fmt.Errorf("not all arguments converted during string formatting")
	}
	return b.text(), nil
}

// spec is one place of a format.
type spec struct {
	key              *string
	flags            string
	width, precision int // -1 when not given
	verb             byte
}

func parsePercent(s string) (spec, int, error) {
	p := spec{width: -1, precision: -1}
	i := 1
	if strings.HasPrefix(s[i:], "(") {
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return p, 0, fmt.Errorf("incomplete format key")
		}
		key := s[2:end]
		p.key = &key
		i = end + 1
	}
	for i < len(s) && strings.IndexByte("-+ 0#", s[i]) >= 0 {
		p.flags += s[i : i+1]
		i++
	}
	p.width, i = digits(s, i)
	if i < len(s) && s[i] == '.' {
		if p.precision, i = digits(s, i+1); p.precision < 0 {
			p.precision = 0
		}
	}
	if i >= len(s) {
		return p, 0, fmt.Errorf("incomplete format")
	}
	if p.width > maxWidth || p.precision > maxWidth || len(p.flags) > 5 {
		return p, 0, fmt.Errorf("a format asks for more than %d characters", maxWidth)
	}
	p.verb = s[i]
	return p, i + 1, nil
}

// digits reads a number at a place of s, -1 when there is none.
func digits(s string, i int) (int, int) {
	n := -1
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		n = min(max(n, 0)*10+int(s[i]-'0'), maxWidth+1)
	}
	return n, i
}

// formatted is one value as its place says.
func (m *machine) formatted(p spec, v any) (text, error) {
	goFormat := "%" + p.flags
	if p.width >= 0 {
		goFormat += strconv.Itoa(p.width)
	}
	if p.precision >= 0 {
		goFormat += "." + strconv.Itoa(p.precision)
	}
	i, f, isInt, isNumber := number(v)
	switch p.verb {
	case 's', 'r':
		var t text
		var err error
		if p.verb == 's' {
			t, err = m.str(v)
		} else {
			var b builder
			err = m.repr(&b, v, 0)
			t = b.text()
		}
		if err != nil {
			return t, err
		}
		if p.precision >= 0 && utf8.RuneCountInString(t.s) > p.precision {
			t = t.cut(0, len(string([]rune(t.s)[:p.precision])))
		}
		fill := text{s: strings.Repeat(" ", max(p.width-utf8.RuneCountInString(t.s), 0))}
		if strings.Contains(p.flags, "-") {
			return join(t, fill), nil
		}
		return join(fill, t), nil
	case 'd', 'i', 'u', 'x', 'X', 'o':
		if !isNumber {
			return text{}, fmt.Errorf("%%%c format: a real number is required, not %s", p.verb, typeName(v))
		}
		if !isInt {
			i = int64(f)
		}
		verb := string(p.verb)
		if p.verb == 'i' || p.verb == 'u' {
			verb = "d"
		}
		return text{s: fmt.Sprintf(goFormat+verb, i)}, nil
	case 'f', 'F', 'e', 'E', 'g', 'G':
		if !isNumber {
			return text{}, fmt.Errorf("must be real number, not %s", typeName(v))
		}
		if p.precision < 0 {
			goFormat += ".6"
		}
		return text{s: fmt.Sprintf(goFormat+string(p.verb), f)}, nil
	}
	return text{}, fmt.Errorf("unsupported format character '%c'", p.verb)
}

// format is Python's "...".format(...): of places {}, {0} and {name} without anything else in them.
func (m *machine) format(t text, a args) (any, error) {
	var b builder
	for auto := 0; ; {
		i := strings.IndexAny(t.s, "{}")
		if i < 0 {
			b.add(t)
			return b.text(), nil
		}
		b.add(t.cut(0, i))
		if strings.HasPrefix(t.s[i+1:], t.s[i:i+1]) {
			b.own(t.s[i : i+1])
			t = t.cut(i+2, len(t.s))
			continue
		}
		end := strings.IndexByte(t.s[i:], '}')
		if t.s[i] == '}' || end < 0 {
			return nil, fmt.Errorf("single '%c' encountered in format string", t.s[i])
		}
		name := t.s[i+1 : i+end]
		t = t.cut(i+end+1, len(t.s))
		if name == "" {
			name = strconv.Itoa(auto)
			auto++
		}
		v, err := a.named1(name)
		if err != nil {
			return nil, err
		}
		out, err := m.str(v)
		if err != nil {
			return nil, err
		}
		b.add(out)
		if err := m.step(len(out.s)); err != nil {
			return nil, err
		}
	}
}

// named1 is the argument of a place of a format.
func (a args) named1(name string) (any, error) {
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(a.pos) {
		return a.pos[i], nil
	}
	for i, n := range a.names {
		if n == name {
			return a.named[i], nil
		}
	}
	return nil, fmt.Errorf("the place {%s} of a format has no value, or says more than its name", name)
}
