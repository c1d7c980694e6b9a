package chat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// str is what a value prints as.
func (m *machine) str(v any) (text, error) {
	if t, ok := v.(text); ok {
		return t, nil
	}
	if _, ok := v.(*undefined); ok {
		return text{}, nil
	}
	var b builder
	err := m.repr(&b, v, 0)
	return b.text(), err
}

// repr writes a value as Python shows it inside a list.
func (m *machine) repr(b *builder, v any, depth int) error {
	if err := m.step(b.b.Len()); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("values inside one another more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		b.own("None")
	case bool:
		b.own(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.own(strconv.FormatInt(v, 10))
	case float64:
		b.own(reprFloat(v))
	case text:
		reprText(b, v)
	case *undefined:
		b.own("Undefined")
	case *list:
		return m.reprList(b, v, depth)
	case *dict:
		b.own("{")
		for i, key := range v.keys {
			if i > 0 {
				b.own(", ")
			}
			if err := m.repr(b, key, depth+1); err != nil {
				return err
			}
			b.own(": ")
			if err := m.repr(b, v.at(key), depth+1); err != nil {
				return err
			}
		}
		b.own("}")
	case *numbers:
		b.own(fmt.Sprintf("range(%d, %d", v.from, v.to))
		if v.step != 1 {
			b.own(fmt.Sprintf(", %d", v.step))
		}
		b.own(")")
	case *namespace:
		b.own("<Namespace ")
		if err := m.repr(b, v.vars, depth+1); err != nil {
			return err
		}
		b.own(">")
	default:
		b.own("<" + typeName(v) + ">")
	}
	return nil
}

func (m *machine) reprList(b *builder, v *list, depth int) error {
	open, end := "[", "]"
	if v.tuple {
		open, end = "(", ")"
		if len(v.items) == 1 {
			end = ",)"
		}
	}
	if v.view != "" {
		open, end = v.view+"([", "])"
	}
	b.own(open)
	for i, item := range v.items {
		if i > 0 {
			b.own(", ")
		}
		if err := m.repr(b, item, depth+1); err != nil {
			return err
		}
	}
	b.own(end)
	return nil
}

// reprFloat writes a number as Python does: with a point or an exponent, never without both.
func reprFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exp < -4 || exp >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsRune(s, '.') {
		s += ".0"
	}
	return s
}

// reprText writes a string in quotes.
func reprText(b *builder, t text) {
	quote := '\''
	if strings.ContainsRune(t.s, '\'') && !strings.ContainsRune(t.s, '"') {
		quote = '"'
	}
	b.own(string(quote))
	b.add(t.mapRunes(func(_, r rune) string {
		switch {
		case r == quote || r == '\\':
			return `\` + string(r)
		case r == '\n':
			return `\n`
		case r == '\r':
			return `\r`
		case r == '\t':
			return `\t`
		case unicode.IsPrint(r):
			return string(r)
		case r < 0x100:
			return fmt.Sprintf(`\x%02x`, r)
		case r < 0x10000:
			return fmt.Sprintf(`\u%04x`, r)
		}
		return fmt.Sprintf(`\U%08x`, r)
	}))
	b.own(string(quote))
}
