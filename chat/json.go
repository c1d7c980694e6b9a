package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// parseJSON reads a value, with the order of its keys. Its strings are marked as foreign.
func parseJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("broken JSON at byte %d: something follows the value", d.InputOffset())
	}
	return v, nil
}

func readJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("JSON values inside one another more than %d deep", maxDepth)
	}
	t, err := jsonToken(d)
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			l := &list{}
			for d.More() {
				v, err := readJSON(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, v)
			}
			_, err = jsonToken(d)
			return l, err
		}
		return readObject(d, depth)
	case string:
		return foreign(t), nil
	case json.Number:
		return jsonNumber(t.String())
	}
	return t, nil // true, false, null
}

func readObject(d *json.Decoder, depth int) (any, error) {
	out := newDict()
	for d.More() {
		key, err := readJSON(d, depth+1)
		if err != nil {
			return nil, err
		}
		v, err := readJSON(d, depth+1)
		if err != nil {
			return nil, err
		}
		if err := out.set(key, v); err != nil {
			return nil, err
		}
	}
	_, err := jsonToken(d)
	return out, err
}

func jsonToken(d *json.Decoder) (json.Token, error) {
	t, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("broken JSON at byte %d: %w", d.InputOffset(), err)
	}
	return t, nil
}

func jsonNumber(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		return nil, fmt.Errorf("the number %s is too large", s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("the number %s: %w", s, err)
	}
	return f, nil
}

// jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	*machine
	b          builder
	ascii      bool
	sortKeys   bool
	indent     string
	indented   bool
	item, pair text // separators
}

// tojson is Hugging Face's filter of that name.
func tojson(m *machine, v any, a args) (any, error) {
	w := jsonWriter{machine: m, item: text{s: ", "}, pair: text{s: ": "}}
	r := newReader("tojson", a)
	w.ascii = r.bool("ensure_ascii", false)
	if indent, ok := r.next("indent"); ok && indent != nil {
		w.indented, w.item = true, text{s: ","}
		if t, ok := indent.(text); ok {
			w.indent = t.s
		} else if n, _, isInt, ok := number(indent); ok && isInt && n <= maxWidth {
			w.indent = strings.Repeat(" ", int(max(n, 0)))
		} else {
			r.fail("indent is no number up to %d, and no string", maxWidth)
		}
	}
	if sep, ok := r.next("separators"); ok && sep != nil {
		l, ok := sep.(*list)
		if !ok || len(l.items) != 2 {
			r.fail("separators are not two strings")
		} else {
			w.item, _ = l.items[0].(text)
			w.pair, _ = l.items[1].(text)
		}
	}
	w.sortKeys = r.bool("sort_keys", false)
	if err := r.done(); err != nil {
		return nil, err
	}
	err := w.value(v, 0)
	return w.b.text(), err
}

func (w *jsonWriter) value(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("values inside one another more than %d deep", maxDepth)
	}
	before := w.b.b.Len()
	switch v := v.(type) {
	case nil:
		w.b.own("null")
	case bool:
		w.b.own(strconv.FormatBool(v))
	case int64:
		w.b.own(strconv.FormatInt(v, 10))
	case float64:
		w.b.own(jsonFloat(v))
	case text:
		w.quote(v)
	case *list:
		if v.view == "" {
			return w.list(v, depth)
		}
	case *dict:
		return w.dict(v, depth)
	}
	if n := w.b.b.Len() - before; n > 0 {
		return w.step(n)
	}
	return fmt.Errorf("Object of type %s is not JSON serializable", typeName(v)) //lint:ignore ST1005 Python's own words
}

func jsonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	return reprFloat(f)
}

// line begins a line where there is to be one.
func (w *jsonWriter) line(depth int) error {
	if w.indented {
		w.b.own("\n" + strings.Repeat(w.indent, depth))
	}
	return w.step(len(w.indent) * depth)
}

func (w *jsonWriter) list(v *list, depth int) error {
	if len(v.items) == 0 {
		w.b.own("[]")
		return nil
	}
	w.b.own("[")
	for i, item := range v.items {
		if i > 0 {
			w.b.add(w.item)
		}
		if err := w.line(depth + 1); err != nil {
			return err
		}
		if err := w.value(item, depth+1); err != nil {
			return err
		}
	}
	err := w.line(depth)
	w.b.own("]")
	return err
}

func (w *jsonWriter) dict(v *dict, depth int) error {
	if len(v.keys) == 0 {
		w.b.own("{}")
		return nil
	}
	keys := v.keys
	if w.sortKeys {
		var err error
		if keys, err = w.sorted(v.keys, v.keys, false); err != nil {
			return err
		}
	}
	w.b.own("{")
	for i, key := range keys {
		if i > 0 {
			w.b.add(w.item)
		}
		if err := w.line(depth + 1); err != nil {
			return err
		}
		name, err := jsonKey(key)
		if err != nil {
			return err
		}
		w.quote(name)
		w.b.add(w.pair)
		if err := w.value(v.at(key), depth+1); err != nil {
			return err
		}
	}
	err := w.line(depth)
	w.b.own("}")
	return err
}

// jsonKey is a key as a string.
func jsonKey(key any) (text, error) {
	switch k := key.(type) {
	case text:
		return k, nil
	case nil:
		return text{s: "null"}, nil
	case bool:
		return text{s: strconv.FormatBool(k)}, nil
	case int64:
		return text{s: strconv.FormatInt(k, 10)}, nil
	case float64:
		return text{s: jsonFloat(k)}, nil
	}
	return text{}, fmt.Errorf("keys must be str, int, float, bool or None, not %s", typeName(key))
}

func (w *jsonWriter) quote(t text) {
	w.b.own(`"`)
	w.b.add(t.mapRunes(func(_, r rune) string {
		if i := strings.IndexRune("\"\\\n\r\t\f\b", r); i >= 0 {
			return `\` + `"\nrtfb`[i:i+1]
		}
		switch {
		case r < 0x20 || w.ascii && r > 0x7E && r < 0x10000:
			return fmt.Sprintf(`\u%04x`, r)
		case w.ascii && r >= 0x10000:
			r -= 0x10000
			return fmt.Sprintf(`\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		}
		return string(r)
	}))
	w.b.own(`"`)
}
