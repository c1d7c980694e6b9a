package chat

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// globals are the functions that every template has.
func globals() map[string]any {
	return map[string]any{
		"range":           &native{"range", rangeFunc},
		"namespace":       &native{"namespace", namespaceFunc},
		"dict":            &native{"dict", dictFunc},
		"raise_exception": &native{"raise_exception", raiseFunc},
		"strftime_now":    &native{"strftime_now", strftimeFunc},
		"joiner":          &native{"joiner", joinerFunc},
	}
}

func rangeFunc(_ *machine, a args) (any, error) {
	r := newReader("range", a)
	out := &numbers{step: 1}
	to := r.int("stop", 0)
	if len(a.pos) > 1 {
		out.from, to = to, r.int("stop", 0)
	}
	out.step = r.int("step", 1)
	if len(a.pos) == 0 {
		r.fail("missing argument 'stop'")
	}
	if out.step == 0 {
		r.fail("range() arg 3 must not be zero")
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	const far = 1 << 60
	if max(out.from, to, out.step) > far || min(out.from, to, out.step) < -far {
		return nil, errRange
	}
	out.to = to
	if out.step > 0 && to > out.from {
		out.n = (to - out.from + out.step - 1) / out.step
	}
	if out.step < 0 && to < out.from {
		out.n = (out.from - to - out.step - 1) / -out.step
	}
	if out.n > maxRange {
		return nil, errRange
	}
	return out, nil
}

var errRange = fmt.Errorf("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange) //lint:ignore ST1005 Jinja's own words

func namespaceFunc(m *machine, a args) (any, error) {
	v, err := dictFunc(m, a)
	if err != nil {
		return nil, err
	}
	d := v.(*dict)
	for _, key := range d.keys {
		if _, ok := key.(text); !ok {
			return nil, errors.New("namespace: keys must be strings")
		}
	}
	return &namespace{d}, nil
}

func dictFunc(m *machine, a args) (any, error) {
	out := newDict()
	for _, v := range a.pos {
		d, ok := v.(*dict)
		if !ok {
			return nil, fmt.Errorf("dict: expected a mapping, not %s", typeName(v))
		}
		for _, key := range d.keys {
			if err := out.set(key, d.at(key)); err != nil {
				return nil, err
			}
		}
	}
	for i, name := range a.names {
		if err := out.set(text{s: name}, a.named[i]); err != nil {
			return nil, err
		}
	}
	return out, m.entries(4 * len(out.keys))
}

// joinerFunc makes a function that gives nothing the first time it is called, and then a separator.
func joinerFunc(_ *machine, a args) (any, error) {
	r := newReader("joiner", a)
	sep, used := r.text("sep", text{s: ", "}), false
	return &native{"joiner", func(_ *machine, a args) (any, error) {
		before := used
		used = true
		if !before {
			return text{}, newReader("joiner", a).done()
		}
		return sep, newReader("joiner", a).done()
	}}, r.done()
}

func raiseFunc(m *machine, a args) (any, error) {
	r := newReader("raise_exception", a)
	t, err := m.str(r.any("message"))
	if err == nil {
		err = r.done()
	}
	if err == nil {
		err = errors.New(t.s)
	}
	return nil, err
}

// oneLine is s without line breaks and other control characters, and not too long for an error.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || 0x7F <= r && r < 0xA0 }), " ")
	if len(s) > maxWidth {
		s = strings.ToValidUTF8(s[:maxWidth], "") + "…"
	}
	return s
}

func strftimeFunc(m *machine, a args) (any, error) {
	r := newReader("strftime_now", a)
	format, ok := r.any("format").(text)
	if !ok {
		r.fail("the format must be str")
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	return format.like(strftime(m.now, format.s)), m.step(len(format.s) * 8)
}

// layouts are Go's words for the fields of a date.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02",
	'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'j': "002", 'm': "01",
	'M': "04", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06",
	'X': "15:04:05", 'y': "06", 'Y': "2006",
}

// strftime writes a date as C's function of that name does, in English. Times have no zone, as in Python.
func strftime(now time.Time, format string) string {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		i++
		bare := format[i] == '-' && i+1 < len(format)
		if bare {
			i++
		}
		field := ""
		switch c := format[i]; c {
		case '%':
			field = "%"
		case 'n':
			field = "\n"
		case 't':
			field = "\t"
		case 'f':
			field = fmt.Sprintf("%06d", now.Nanosecond()/1000)
		case 's':
			field = fmt.Sprint(now.Unix())
		case 'u':
			field = fmt.Sprint((int(now.Weekday())+6)%7 + 1)
		case 'w':
			field = fmt.Sprint(int(now.Weekday()))
		case 'z', 'Z':
		default:
			layout, ok := layouts[c]
			field = now.Format(layout)
			if !ok {
				field = "%" + string(c)
			}
		}
		if bare {
			if field = strings.TrimLeft(field, "0 "); field == "" {
				field = "0"
			}
		}
		out.WriteString(field)
	}
	return out.String()
}
