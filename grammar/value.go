package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"
)

// value is a JSON value as it is written: keys in their order, numbers by their digits.
type value struct {
	kind  kind
	text  string   // a string, or the digits of a number
	keys  []string // of an object, in order
	items []*value // of an array, or of an object by its keys
	up    *value
	name  string // in up
}

// kind is what a JSON value is.
type kind uint8

const (
	kindNull kind = 1 << iota
	kindTrue
	kindFalse
	kindObject
	kindArray
	kindString
	kindInteger
	kindFraction

	kindBoolean = kindTrue | kindFalse
	kindNumber  = kindInteger | kindFraction
	kindAny     = kindNull | kindBoolean | kindObject | kindArray | kindString | kindNumber
)

// readValue reads one JSON value.
func readValue(data []byte) (*value, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decode(d, nil, "", 0)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: there is more after the value")
	}
	return v, nil
}

func decode(d *json.Decoder, up *value, name string, depth int) (*value, error) {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	v := &value{up: up, name: name}
	switch t := token.(type) {
	case nil:
		v.kind = kindNull
	case bool:
		if v.kind = kindFalse; t {
			v.kind = kindTrue
		}
	case string:
		v.kind, v.text = kindString, t
	case json.Number:
		v.kind, v.text = kindInteger, t.String()
		if n, err := v.number(); err != nil {
			return nil, err
		} else if !n.IsInt() {
			v.kind = kindFraction
		}
	case json.Delim:
		if depth == deepest {
			return nil, fmt.Errorf("it nests more than %d deep", deepest)
		}
		if v.kind = kindArray; t == '{' {
			v.kind = kindObject
		}
		return v, v.decodeItems(d, depth+1)
	}
	return v, nil
}

// decodeItems reads an array or an object from behind its bracket.
func (v *value) decodeItems(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		name := fmt.Sprint(len(v.items))
		if v.kind == kindObject {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name, _ = token.(string)
			if seen[name] {
				return fmt.Errorf("the key %q is there twice", name)
			}
			seen[name] = true
			v.keys = append(v.keys, name)
		}
		item, err := decode(d, v, name, depth)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := d.Token()
	return err
}

// get is what an object has under a key, nil where it has nothing.
func (v *value) get(key string) *value {
	if v.kind == kindObject {
		for i, k := range v.keys {
			if k == key {
				return v.items[i]
			}
		}
	}
	return nil
}

// path is where a value stands in the whole.
func (v *value) path() string {
	if v.up == nil {
		return "#"
	}
	return v.up.path() + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(v.name)
}

// The digits and exponents of numbers that are computed with.
const (
	mostDigits   = 60
	mostExponent = 300
)

// number is the value of a number.
func (v *value) number() (*big.Rat, error) {
	at := strings.IndexAny(v.text, "eE")
	exponent := 0
	if at >= 0 {
		if n, err := fmt.Sscanf(v.text[at+1:], "%d", &exponent); n != 1 || err != nil {
			return nil, fmt.Errorf("the number %.20s… has too large an exponent", v.text)
		}
	}
	if len(v.text) > mostDigits || exponent > mostExponent || exponent < -mostExponent {
		return nil, fmt.Errorf("the number %.20s… has too many digits", v.text)
	}
	n, ok := new(big.Rat).SetString(v.text)
	if !ok {
		return nil, fmt.Errorf("%q is no number", v.text)
	}
	return n, nil
}

// equal says whether two values are the same to JSON Schema: 1 and 1.0 are, and so are objects with their keys in
// another order.
func (v *value) equal(w *value) bool {
	if v.kind != w.kind || len(v.items) != len(w.items) {
		return false
	}
	switch v.kind {
	case kindInteger, kindFraction:
		a, errA := v.number()
		b, errB := w.number()
		return errA == nil && errB == nil && a.Cmp(b) == 0
	case kindString:
		return v.text == w.text
	case kindObject:
		for i, key := range v.keys {
			if other := w.get(key); other == nil || !v.items[i].equal(other) {
				return false
			}
		}
	case kindArray:
		for i := range v.items {
			if !v.items[i].equal(w.items[i]) {
				return false
			}
		}
	}
	return true
}

// write appends the value as JSON without spaces.
func (v *value) write(b *strings.Builder) {
	switch v.kind {
	case kindNull:
		b.WriteString("null")
	case kindTrue:
		b.WriteString("true")
	case kindFalse:
		b.WriteString("false")
	case kindString:
		writeString(b, v.text)
	case kindObject, kindArray:
		brackets := "[]"
		if v.kind == kindObject {
			brackets = "{}"
		}
		b.WriteByte(brackets[0])
		for i, item := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			if v.kind == kindObject {
				writeString(b, v.keys[i])
				b.WriteByte(':')
			}
			item.write(b)
		}
		b.WriteByte(brackets[1])
	default:
		b.WriteString(v.text)
	}
}

// escaped are the characters that a JSON string cannot have as they are.
var escaped = newSet(runeRange{0, 0x1F}, runeRange{'"', '"'}, runeRange{'\\', '\\'}, runeRange{0x7F, 0x7F})

// escape writes such a character as a JSON string has it.
func escape(r rune) string {
	if at := strings.IndexRune("\"\\\b\f\n\r\t", r); at >= 0 {
		return `\` + `"\bfnrt`[at:at+1]
	}
	return fmt.Sprintf(`\u%04x`, r)
}

func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		if escaped.has(r) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
