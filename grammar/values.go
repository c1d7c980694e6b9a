package grammar

import (
	"fmt"
	"strings"
)

// values is what values look like that meet the keywords of all schemas.
func (m *maker) values(flat []*value) (*expr, error) {
	kinds := kindsOf(flat)
	if list, ok := enumOf(flat); ok {
		return m.oneOfList(list, flat)
	}
	out := alt()
	if kinds&kindNull != 0 {
		out.subs = append(out.subs, text("null"))
	}
	if kinds&kindBoolean != 0 {
		out.subs = append(out.subs, text("true"), text("false"))
	}
	for _, make := range []struct {
		kind kind
		of   func([]*value) (*expr, error)
	}{{kindNumber, m.numberOf}, {kindString, m.stringOf}, {kindArray, m.arrayOf}, {kindObject, m.objectOf}} {
		if kinds&make.kind == 0 {
			continue
		}
		e, err := make.of(flat)
		if err != nil {
			return nil, err
		}
		out.subs = append(out.subs, e)
	}
	return out, nil
}

// keywordsOf are those that only speak of values of one kind.
var keywordsOf = map[string]kind{
	"minLength": kindString, "maxLength": kindString, "pattern": kindString, "format": kindString,
	"minimum": kindNumber, "maximum": kindNumber, "exclusiveMinimum": kindNumber, "exclusiveMaximum": kindNumber, "multipleOf": kindNumber,
	"items": kindArray, "prefixItems": kindArray, "minItems": kindArray, "maxItems": kindArray, "additionalItems": kindArray, "uniqueItems": kindArray,
	"properties": kindObject, "required": kindObject, "additionalProperties": kindObject, "patternProperties": kindObject,
	"propertyNames": kindObject, "minProperties": kindObject, "maxProperties": kindObject,
}

// kindsOf are the kinds that all schemas allow. Where no type says so, they are those of which the keywords speak.
func kindsOf(flat []*value) kind {
	all, spoken, typed := kindAny, kind(0), false
	for _, schema := range flat {
		all &= schema.kinds()
		typed = typed || schema.get("type") != nil
		for _, keyword := range schema.keys {
			spoken |= keywordsOf[keyword]
		}
	}
	if !typed && spoken != 0 {
		return spoken
	}
	return all
}

// enumOf are the values that one of the schemas lists; false where none lists any.
func enumOf(flat []*value) ([]*value, bool) {
	for _, schema := range flat {
		if only := schema.get("const"); only != nil {
			return []*value{only}, true
		}
	}
	for _, schema := range flat {
		if list := schema.get("enum"); list != nil {
			return list.items, true
		}
	}
	return nil, false
}

// oneOfList is one of a list of values: those that meet all schemas.
func (m *maker) oneOfList(list []*value, flat []*value) (*expr, error) {
	out := alt()
	seen := map[string]bool{}
	for _, v := range list {
		good := true
		for _, schema := range flat {
			meets, err := m.meets(v, schema, false)
			if err != nil {
				return nil, err
			}
			good = good && meets
		}
		var s strings.Builder
		v.write(&s)
		if good && !seen[s.String()] {
			seen[s.String()] = true
			out.subs = append(out.subs, text(s.String()))
		}
	}
	return out, nil
}

// helper is a rule that schemas share.
func (m *maker) helper(name string, body func() *expr) *expr {
	i := m.rules.rule(name)
	if m.rules.bodies[i] == nil {
		m.rules.bodies[i] = body()
	}
	return call(i)
}

// space is the white space that may stand between tokens.
func (m *maker) space() *expr {
	return m.helper("white space", func() *expr {
		return alt(seq(), text(" "), seq(text("\n"), repeat(runes(of(" \t")), 0, 20)))
	})
}

// char is a character of a string, by itself or as an escape. One beyond U+FFFF is two escapes.
func (m *maker) char() *expr {
	return m.helper("character", func() *expr {
		hex := runes(newSet(runeRange{'0', '9'}, runeRange{'a', 'f'}, runeRange{'A', 'F'}))
		unit := alt(
			seq(runes(newSet(runeRange{'0', '9'}, runeRange{'a', 'c'}, runeRange{'A', 'C'}, runeRange{'e', 'f'}, runeRange{'E', 'F'})), repeat(hex, 3, 3)),
			seq(runes(of("dD")), runes(newSet(runeRange{'0', '7'})), repeat(hex, 2, 2)),
			seq(runes(of("dD")), runes(of("89abAB")), repeat(hex, 2, 2), text(`\u`), runes(of("dD")), runes(of("cdefCDEF")), repeat(hex, 2, 2)))
		return alt(runes(escaped.not()), seq(text(`\`), alt(runes(of(`"\/bfnrt`)), seq(text("u"), unit))))
	})
}

func (m *maker) anyString() *expr {
	return m.helper("string", func() *expr { return seq(text(`"`), repeat(m.char(), 0, unlimited), text(`"`)) })
}

// count is the tightest of the bounds that schemas give by a keyword: the largest of those that begin with min, the
// smallest of others; false where there is none.
func count(flat []*value, keyword string) (n int, ok bool) {
	for _, schema := range flat {
		v := schema.get(keyword)
		if v == nil {
			continue
		}
		var bound int
		fmt.Sscan(v.text, &bound) // it was checked before
		if !ok || strings.HasPrefix(keyword, "min") == (bound > n) {
			n, ok = bound, true
		}
	}
	return n, ok
}

// bounds are a least and a most; unlimited where there is no most.
func bounds(flat []*value, least, most string) (min, max int) {
	min, _ = count(flat, least)
	max, ok := count(flat, most)
	if !ok {
		max = unlimited
	}
	return min, max
}

func (m *maker) stringOf(flat []*value) (*expr, error) {
	min, max := bounds(flat, "minLength", "maxLength")
	if max != unlimited && min > max {
		return alt(), nil
	}
	d, err := m.textOf(flat)
	switch {
	case err != nil:
		return nil, err
	case d != nil:
		return seq(text(`"`), d.expr(inString), text(`"`)), m.grow(len(d.edges))
	case min == 0 && max == unlimited:
		return m.anyString(), nil
	}
	return seq(text(`"`), repeat(m.char(), min, max), text(`"`)), nil
}

// textOf is the automaton of the strings that meet all patterns and formats, and lengths beside them; nil where there
// is no pattern or format.
func (m *maker) textOf(flat []*value) (all *dfa, err error) {
	add := func(d *dfa, at *value, keyword string) error {
		if all != nil && d != nil {
			if d, err = all.and(d); err != nil {
				return wrapped(at.path()+": "+keyword, err)
			}
		}
		if d != nil {
			all = d
		}
		return nil
	}
	var last *value
	for _, schema := range flat {
		for _, keyword := range []string{"pattern", "format"} {
			if v := schema.get(keyword); v != nil {
				last = schema
				d, err := m.automaton(schema, keyword, v.text)
				if err == nil {
					err = add(d, schema, keyword)
				}
				if err != nil {
					return nil, err
				}
			}
		}
	}
	min, max := bounds(flat, "minLength", "maxLength")
	if all == nil || min == 0 && max == unlimited {
		return all, nil
	}
	d, err := lengths(min, max)
	if err != nil {
		return nil, wrapped(last.path()+": pattern or format together with minLength or maxLength", err)
	}
	return all, add(d, last, "pattern or format together with minLength or maxLength")
}

// automaton is that of a pattern or a format, nil for a format that says nothing of a text.
func (m *maker) automaton(schema *value, keyword, source string) (*dfa, error) {
	if keyword == "format" {
		f, ok := formats[source]
		if !ok {
			return nil, nil // a note for the reader
		}
		source = f
	}
	if d, ok := m.patterns[source]; ok {
		return d, nil
	}
	d, err := pattern(source)
	if err != nil {
		return nil, wrapped(schema.path()+": "+keyword, err)
	}
	m.patterns[source] = d
	return d, nil
}
