package chat

import (
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"
)

// method is a function of a value, bound to it; nil when there is none of that name.
func method(of any, name string) *native {
	switch v := of.(type) {
	case text:
		if f := textMethods[name]; f != nil {
			return &native{name, func(m *machine, a args) (any, error) {
				if err := m.step(4 * len(v.s)); err != nil {
					return nil, err
				}
				r := newReader(name, a)
				out, err := f(m, v, r)
				if parts, ok := out.(*list); ok && err == nil {
					err = m.entries(4 * len(parts.items))
				}
				if err == nil {
					err = r.done()
				}
				return out, err
			}}
		}
	case *dict:
		if f := dictMethods[name]; f != nil {
			return &native{name, func(m *machine, a args) (any, error) {
				r := newReader(name, a)
				out := f(v, r)
				if err := m.entries(4 * len(v.keys)); err != nil {
					return nil, err
				}
				return out, r.done()
			}}
		}
	case *list:
		if (name == "index" || name == "count") && v.view == "" {
			return &native{name, func(m *machine, a args) (any, error) { return v.find(m, name, a) }}
		}
	}
	return nil
}

var dictMethods = map[string]func(*dict, *reader) any{
	"keys":   func(d *dict, _ *reader) any { return &list{items: d.keys, view: "dict_keys"} },
	"values": func(d *dict, _ *reader) any { return &list{items: d.column(), view: "dict_values"} },
	"items":  func(d *dict, _ *reader) any { return &list{items: d.pairs().items, view: "dict_items"} },
	"copy":   func(d *dict, _ *reader) any { return d },
	"get": func(d *dict, r *reader) any {
		key := r.any("key")
		otherwise, _ := r.next("default")
		if v, ok := d.get(key); ok {
			return v
		}
		return otherwise
	},
}

func (d *dict) column() []any {
	out := make([]any, len(d.keys))
	for i, key := range d.keys {
		out[i] = d.at(key)
	}
	return out
}

func (d *dict) pairs() *list {
	out := &list{items: make([]any, len(d.keys))}
	for i, key := range d.keys {
		out.items[i] = &list{items: []any{key, d.at(key)}, tuple: true}
	}
	return out
}

// find is list.index and list.count.
func (l *list) find(m *machine, name string, a args) (any, error) {
	r := newReader(name, a)
	what, n := r.any("value"), int64(0)
	for i, item := range l.items {
		ok, err := m.equal(item, what, 0)
		if err != nil {
			return nil, err
		}
		if ok && name == "index" {
			return int64(i), r.done()
		}
		if ok {
			n++
		}
	}
	if name == "index" {
		return nil, fmt.Errorf("the value is not in the list")
	}
	return n, r.done()
}

var textMethods map[string]textMethod

type textMethod = func(m *machine, t text, r *reader) (any, error)

func init() {
	textMethods = map[string]textMethod{}
	for _, group := range []map[string]textMethod{cuttingMethods(), caseMethods(), findingMethods(), otherMethods()} {
		maps.Copy(textMethods, group)
	}
}

// cuttingMethods take strings apart.
func cuttingMethods() map[string]textMethod {
	return map[string]textMethod{
		"strip":  stripMethod(true, true),
		"lstrip": stripMethod(true, false),
		"rstrip": stripMethod(false, true),
		"split": func(m *machine, t text, r *reader) (any, error) {
			return splitText(r, t.split, t.fields)
		},
		"rsplit": func(m *machine, t text, r *reader) (any, error) {
			return splitText(r, t.rsplit, t.rfields)
		},
		"splitlines": func(_ *machine, t text, r *reader) (any, error) {
			return texts(splitLines(t, r.bool("keepends", false))), nil
		},
		"startswith": affix(strings.HasPrefix),
		"endswith":   affix(strings.HasSuffix),
		"removeprefix": func(_ *machine, t text, r *reader) (any, error) {
			if p := r.text("prefix", text{}).s; strings.HasPrefix(t.s, p) {
				return t.cut(len(p), len(t.s)), nil
			}
			return t, nil
		},
		"removesuffix": func(_ *machine, t text, r *reader) (any, error) {
			if p := r.text("suffix", text{}).s; strings.HasSuffix(t.s, p) {
				return t.cut(0, len(t.s)-len(p)), nil
			}
			return t, nil
		},
	}
}

// otherMethods replace, join and fill up.
func otherMethods() map[string]textMethod {
	return map[string]textMethod{
		"replace": func(m *machine, t text, r *reader) (any, error) {
			old, new := r.text("old", text{}), r.text("new", text{})
			return m.replaced(t, old, new, r.int("count", -1))
		},
		"join": func(m *machine, t text, r *reader) (any, error) {
			items, err := m.items(r.any("iterable"))
			if err != nil {
				return nil, err
			}
			return m.joined(items, t, true)
		},
		"format": func(m *machine, t text, r *reader) (any, error) {
			r.used, r.at = len(r.names), len(r.pos)
			return m.format(t, r.args)
		},
		"zfill": func(m *machine, t text, r *reader) (any, error) {
			n := r.int("width", 0) - int64(utf8.RuneCountInString(t.s))
			zeros, err := m.repeat(text{s: "0"}, n)
			if err != nil {
				return nil, err
			}
			sign := 0
			if strings.HasPrefix(t.s, "-") || strings.HasPrefix(t.s, "+") {
				sign = 1
			}
			return join(t.cut(0, sign), zeros.(text), t.cut(sign, len(t.s))), nil
		},
		"ljust":  justify(0, 1),
		"rjust":  justify(1, 0),
		"center": justify(1, 1),
	}
}

// caseMethods change or ask about the kinds of characters.
func caseMethods() map[string]textMethod {
	return map[string]textMethod{
		"upper":      each(func(_, c rune) string { return upperRune(c) }),
		"lower":      each(func(_, c rune) string { return lowerRune(c) }),
		"casefold":   each(func(_, c rune) string { return lowerRune(c) }),
		"title":      each(titleRune),
		"capitalize": each(capitalRune),
		"swapcase": each(func(_, c rune) string {
			if unicode.IsUpper(c) {
				return lowerRune(c)
			}
			return upperRune(c)
		}),
		"isdigit": all(unicode.IsDigit),
		"isalpha": all(unicode.IsLetter),
		"isalnum": all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isspace": all(isSpace),
		"isupper": cased(unicode.IsUpper, unicode.IsLower),
		"islower": cased(unicode.IsLower, unicode.IsUpper),
		"isascii": func(_ *machine, t text, _ *reader) (any, error) { return isASCII(t.s), nil },
		"istitle": func(_ *machine, t text, _ *reader) (any, error) { return isTitle(t.s), nil },
		"isprintable": func(_ *machine, t text, _ *reader) (any, error) {
			return strings.IndexFunc(t.s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0, nil
		},
		"isdecimal": all(unicode.IsDigit), "isnumeric": all(unicode.IsNumber),
	}
}

func stripMethod(left, right bool) func(*machine, text, *reader) (any, error) {
	return func(_ *machine, t text, r *reader) (any, error) {
		v, ok := r.next("chars")
		if !ok || v == nil {
			return t.trim(left, right, isSpace), nil
		}
		chars, ok := v.(text)
		if !ok {
			return nil, fmt.Errorf("strip arg must be None or str")
		}
		return t.trim(left, right, func(c rune) bool { return strings.ContainsRune(chars.s, c) }), nil
	}
}

func texts(parts []text) *list {
	out := &list{items: make([]any, len(parts))}
	for i, p := range parts {
		out.items[i] = p
	}
	return out
}

func splitText(r *reader, at func(string, int) []text, fields func(int) []text) (any, error) {
	v, ok := r.next("sep")
	count := int(max(min(r.int("maxsplit", -1), mostWork), -1))
	if !ok || v == nil {
		return texts(fields(count)), nil
	}
	sep, ok := v.(text)
	switch {
	case !ok:
		return nil, fmt.Errorf("must be str or None, not %s", typeName(v))
	case sep.s == "":
		return nil, fmt.Errorf("empty separator")
	}
	return texts(at(sep.s, count)), nil
}

func splitLines(t text, keep bool) []text {
	var out []text
	for t.s != "" {
		i := strings.IndexAny(t.s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			return append(out, t)
		}
		_, n := utf8.DecodeRuneInString(t.s[i:])
		if strings.HasPrefix(t.s[i:], "\r\n") {
			n = 2
		}
		end := i
		if keep {
			end = i + n
		}
		out = append(out, t.cut(0, end))
		t = t.cut(i+n, len(t.s))
	}
	return out
}

// affix is startswith or endswith, of one string or any of a tuple.
func affix(has func(s, part string) bool) func(*machine, text, *reader) (any, error) {
	return func(_ *machine, t text, r *reader) (any, error) {
		what := r.any("prefix")
		if one, ok := what.(text); ok {
			return has(t.s, one.s), nil
		}
		many, ok := what.(*list)
		if !ok || !many.tuple {
			return nil, fmt.Errorf("%s first arg must be str or a tuple of str, not %s", r.name, typeName(what))
		}
		for _, item := range many.items {
			one, ok := item.(text)
			if !ok {
				return nil, fmt.Errorf("tuple for %s must only contain str, not %s", r.name, typeName(item))
			}
			if has(t.s, one.s) {
				return true, nil
			}
		}
		return false, nil
	}
}

func (m *machine) replaced(t, old, new text, count int64) (any, error) {
	n := int64(strings.Count(t.s, old.s))
	if count >= 0 {
		n = min(n, count)
	}
	if len(new.s) > 0 && n > m.work/int64(len(new.s)) {
		return nil, errWork
	}
	if err := m.step(len(t.s) + int(n)*(len(new.s)+16)); err != nil {
		return nil, err
	}
	return t.replace(old, new, int(max(min(count, mostWork), -1))), nil
}

func each(f func(before, c rune) string) func(*machine, text, *reader) (any, error) {
	return func(_ *machine, t text, _ *reader) (any, error) { return t.mapRunes(f), nil }
}

func titleRune(before, c rune) string {
	if unicode.IsLetter(before) {
		return lowerRune(c)
	}
	return headRune(c)
}

func capitalRune(before, c rune) string {
	if before >= 0 {
		return lowerRune(c)
	}
	return headRune(c)
}

// justify fills a string up to a width, in front and behind by these shares.
func justify(front, back int64) func(*machine, text, *reader) (any, error) {
	return func(m *machine, t text, r *reader) (any, error) {
		width := r.int("width", 0)
		fill := r.text("fillchar", text{s: " "})
		n := max(width-int64(utf8.RuneCountInString(t.s)), 0)
		left := n * front / (front + back)
		if front == back && n%2 == 1 && width%2 == 1 {
			left++
		}
		a, err := m.repeat(fill, left)
		if err != nil {
			return nil, err
		}
		b, err := m.repeat(fill, n-left)
		if err != nil {
			return nil, err
		}
		return join(a.(text), t, b.(text)), nil
	}
}

func all(is func(rune) bool) func(*machine, text, *reader) (any, error) {
	return func(_ *machine, t text, _ *reader) (any, error) {
		return t.s != "" && strings.IndexFunc(t.s, func(r rune) bool { return !is(r) }) < 0, nil
	}
}

func cased(is, other func(rune) bool) func(*machine, text, *reader) (any, error) {
	return func(_ *machine, t text, _ *reader) (any, error) {
		return strings.IndexFunc(t.s, is) >= 0 && strings.IndexFunc(t.s, other) < 0, nil
	}
}
