package chat

import (
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type filter func(m *machine, v any, a args) (any, error)

var filters map[string]filter

func init() {
	filters = map[string]filter{}
	for _, group := range []map[string]filter{textFilters(), valueFilters(), listFilters()} {
		maps.Copy(filters, group)
	}
}

// textFilters are filters of strings.
func textFilters() map[string]filter {
	return map[string]filter{
		"string":     simple(func(m *machine, v any) (any, error) { return m.str(v) }),
		"safe":       simple(func(m *machine, v any) (any, error) { return m.str(v) }),
		"upper":      viaText("upper"),
		"lower":      viaText("lower"),
		"capitalize": viaText("capitalize"),
		"replace":    viaText("replace"),
		"title":      simple(titleFilter),
		"trim":       trimFilter,
		"escape":     simple(escapeFilter), "e": simple(escapeFilter), "forceescape": simple(escapeFilter),
		"center": func(m *machine, v any, a args) (any, error) {
			r := newReader("center", a)
			width := r.int("width", 80)
			if err := r.done(); err != nil {
				return nil, err
			}
			return viaText("center")(m, v, args{pos: []any{width}})
		},
		"format": func(m *machine, v any, a args) (any, error) {
			t, err := m.str(v)
			if err != nil {
				return nil, err
			}
			if len(a.names) > 0 {
				d := newDict()
				for i, name := range a.names {
					_ = d.set(text{s: name}, a.named[i])
				}
				return m.percent(t, d)
			}
			return m.percent(t, &list{items: a.pos, tuple: true})
		},
		"indent": indentFilter, "tojson": tojson,
		"wordcount": simple(func(m *machine, v any) (any, error) {
			t, err := m.str(v)
			words := strings.FieldsFunc(t.s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) })
			return int64(len(words)), err
		}),
		"truncate": truncateFilter, "urlencode": simple(urlencodeFilter),
	}
}

// valueFilters are filters of numbers and of any value.
func valueFilters() map[string]filter {
	return map[string]filter{
		"default": defaultFilter, "d": defaultFilter,
		"abs": simple(func(_ *machine, v any) (any, error) {
			if _, f, _, ok := number(v); ok && f < 0 {
				return unary("-", v)
			}
			return unary("+", v)
		}),
		"int": intFilter, "float": floatFilter, "round": roundFilter,
		"attr": attrFilter,
	}
}

// listFilters are filters of what has entries.
func listFilters() map[string]filter {
	return map[string]filter{
		"length": length, "count": length,
		"first": simple(firstFilter), "last": simple(lastFilter),
		"list": simple(func(m *machine, v any) (any, error) {
			items, err := m.items(v)
			return &list{items: slices.Clone(items)}, err
		}),
		"items":   lazy(itemsFilter),
		"reverse": simple(reverseFilter),
		"join":    joinFilter, "sum": sumFilter, "min": extreme("<"), "max": extreme(">"),
		"map": lazy(mapFilter), "select": lazy(chosen(true, false)), "reject": lazy(chosen(false, false)),
		"selectattr": lazy(chosen(true, true)), "rejectattr": lazy(chosen(false, true)),
		"sort": sortFilter, "dictsort": dictsortFilter, "unique": lazy(uniqueFilter),
		"groupby": groupbyFilter, "batch": lazy(batchFilter), "slice": lazy(sliceFilter),
	}
}

func attrFilter(m *machine, v any, a args) (any, error) {
	r := newReader("attr", a)
	name := r.text("name", text{})
	if err := r.done(); err != nil {
		return nil, err
	}
	if _, ok := v.(*dict); ok && method(v, name.s) == nil {
		return missing(v, name.s), nil
	}
	return m.attr(v, name.s)
}

// simple is a filter without arguments.
func simple(f func(m *machine, v any) (any, error)) filter {
	return func(m *machine, v any, a args) (any, error) {
		if err := newReader("the filter", a).done(); err != nil {
			return nil, err
		}
		return f(m, v)
	}
}

// viaText is a filter that does what the method of a string does.
func viaText(name string) filter {
	return func(m *machine, v any, a args) (any, error) {
		t, err := m.str(v)
		if err != nil {
			return nil, err
		}
		return m.call(method(t, name), a)
	}
}

func length(m *machine, v any, _ args) (any, error) {
	switch v := v.(type) {
	case text:
		return int64(utf8.RuneCountInString(v.s)), m.step(len(v.s))
	case *list:
		return int64(len(v.items)), nil
	case *dict:
		return int64(len(v.keys)), nil
	case *numbers:
		return v.n, nil
	case *undefined:
		return int64(0), nil
	}
	return nil, fmt.Errorf("object of type '%s' has no len()", typeName(v))
}

func titleFilter(m *machine, v any) (any, error) {
	t, err := m.str(v)
	return t.mapRunes(func(before, c rune) string {
		if before < 0 || isSpace(before) || strings.ContainsRune("-({[<", before) {
			return upperRune(c)
		}
		return lowerRune(c)
	}), err
}

func trimFilter(m *machine, v any, a args) (any, error) {
	t, err := m.str(v)
	if err != nil {
		return nil, err
	}
	r := newReader("trim", a)
	chars, ok := r.next("chars")
	if err := r.done(); err != nil {
		return nil, err
	}
	if !ok {
		return viaText("strip")(m, t, args{})
	}
	return viaText("strip")(m, t, args{pos: []any{chars}})
}

func escapeFilter(m *machine, v any) (any, error) {
	t, err := m.str(v)
	if err != nil {
		return nil, err
	}
	return t.mapRunes(func(_, c rune) string { return html.EscapeString(string(c)) }), m.step(4 * len(t.s))
}

func urlencodeFilter(m *machine, v any) (any, error) {
	t, err := m.str(v)
	return t.mapRunes(func(_, c rune) string {
		s := string(c)
		if len(s) == 1 && (strings.Contains("_.-~/", s) || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z') {
			return s
		}
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
		return b.String()
	}), err
}

func indentFilter(m *machine, v any, a args) (any, error) {
	t, isText := v.(text)
	if !isText {
		return nil, fmt.Errorf("indent: expected str, not %s", typeName(v))
	}
	r := newReader("indent", a)
	indent := text{s: "    "}
	if w, ok := r.next("width"); ok {
		if s, ok := w.(text); ok {
			indent = s
		} else if n, _, isInt, ok := number(w); ok && isInt && n <= maxWidth {
			indent = text{s: strings.Repeat(" ", int(max(n, 0)))}
		} else {
			r.fail("the width is no number up to %d, and no string", maxWidth)
		}
	}
	first, blank := r.bool("first", false), r.bool("blank", false)
	if err := r.done(); err != nil {
		return nil, err
	}
	var b builder
	if first {
		b.add(indent)
	}
	for i, line := range t.split("\n", -1) {
		if i > 0 {
			b.own("\n")
			if blank || line.s != "" {
				b.add(indent)
			}
		}
		b.add(line)
		if err := m.step(len(line.s) + len(indent.s)); err != nil {
			return nil, err
		}
	}
	return b.text(), nil
}

func defaultFilter(_ *machine, v any, a args) (any, error) {
	r := newReader("default", a)
	otherwise, ok := r.next("default_value")
	if !ok {
		otherwise = text{}
	}
	falsy := r.bool("boolean", false)
	if _, ok := v.(*undefined); ok || falsy && !truth(v) {
		return otherwise, r.done()
	}
	return v, r.done()
}

func intFilter(_ *machine, v any, a args) (any, error) {
	r := newReader("int", a)
	otherwise, ok := r.next("default")
	if !ok {
		otherwise = int64(0)
	}
	base := r.int("base", 10)
	if err := r.done(); err != nil {
		return nil, err
	}
	if t, ok := v.(text); ok {
		s := strings.ReplaceAll(strings.TrimFunc(t.s, isSpace), "_", "")
		if base < 2 || base > 36 {
			return otherwise, nil
		}
		digits := s
		if prefix := map[int64]string{2: "0b", 8: "0o", 16: "0x"}[base]; prefix != "" {
			digits = strings.TrimPrefix(strings.ToLower(s), prefix)
		}
		if i, err := strconv.ParseInt(digits, int(base), 64); err == nil {
			return i, nil
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Abs(f) >= 1<<62 || math.IsNaN(f) {
			return otherwise, nil
		}
		return int64(f), nil
	}
	i, f, isInt, ok := number(v)
	switch {
	case !ok:
		return otherwise, nil
	case isInt:
		return i, nil
	case math.IsNaN(f) || math.Abs(f) >= 1<<62:
		return otherwise, nil
	}
	return int64(f), nil
}

func floatFilter(_ *machine, v any, a args) (any, error) {
	r := newReader("float", a)
	otherwise, ok := r.next("default")
	if !ok {
		otherwise = 0.0
	}
	if t, ok := v.(text); ok {
		if f, err := strconv.ParseFloat(strings.TrimFunc(t.s, isSpace), 64); err == nil {
			return f, r.done()
		}
		return otherwise, r.done()
	}
	if _, f, _, ok := number(v); ok {
		return f, r.done()
	}
	return otherwise, r.done()
}

func roundFilter(_ *machine, v any, a args) (any, error) {
	r := newReader("round", a)
	precision, method := r.int("precision", 0), r.text("method", text{s: "common"}).s
	i, f, isInt, ok := number(v)
	if !ok {
		r.fail("type %s doesn't define __round__ method", typeName(v))
	}
	if precision < -300 || precision > 300 {
		r.fail("the precision %d is too far from 0", precision)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	scale := math.Pow(10, float64(precision))
	switch method {
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	case "common":
	default:
		return nil, fmt.Errorf("method must be common, ceil or floor")
	}
	if isInt && precision >= 0 {
		return i, nil
	}
	if precision >= 0 {
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
		return rounded, err
	}
	return math.RoundToEven(f*scale) / scale, nil
}

func truncateFilter(m *machine, v any, a args) (any, error) {
	if _, isText := v.(text); !isText && v != nil {
		n, err := length(m, v, args{})
		if r := newReader("truncate", a); err != nil || n.(int64) <= r.int("length", 255) {
			return v, err
		}
	}
	t, err := m.str(v)
	if err != nil {
		return nil, err
	}
	r := newReader("truncate", a)
	size, whole := r.int("length", 255), r.bool("killwords", false)
	end, leeway := r.text("end", text{s: "..."}), r.int("leeway", 5)
	n := int64(utf8.RuneCountInString(t.s))
	room := size - int64(utf8.RuneCountInString(end.s))
	if room < 0 {
		r.fail("the length %d has no room for what is put behind it", size)
	}
	if err := r.done(); err != nil || n <= size+leeway {
		return t, err
	}
	t = t.cut(0, len(string([]rune(t.s)[:room])))
	if i := strings.LastIndexByte(t.s, ' '); !whole && i >= 0 {
		t = t.cut(0, i)
	}
	return join(t, end), nil
}
