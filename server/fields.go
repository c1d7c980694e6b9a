package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// fields are those of a JSON object by their exact names, and the first thing that was found wrong with one.
// encoding/json alone would take a key in another case for the field. What is null is as if absent.
type fields struct {
	values map[string]json.RawMessage
	path   string // what stands before a name in an error, such as "messages[0]."
	wrong  *problem
}

// parseFields reads a request's body.
func parseFields(body []byte) (*fields, *problem) {
	if !utf8.Valid(body) {
		return nil, badField("", "the body is not UTF-8")
	}
	f := &fields{}
	if err := json.Unmarshal(body, &f.values); err != nil || f.values == nil {
		return nil, badField("", "the body is not one JSON object%s", reason(err))
	}
	return f, nil
}

// reason says where a JSON text is wrong, if the parser knows.
func reason(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf(": %s, at byte %d", syntax.Error(), syntax.Offset)
	}
	return ""
}

// fail keeps the first error.
func (f *fields) fail(name, format string, args ...any) {
	if f.wrong == nil {
		f.wrong = badField(f.path+name, "%s: "+format, append([]any{f.path + name}, args...)...)
	}
}

// raw is a field as it is written; nil where it is absent.
func (f *fields) raw(name string) json.RawMessage {
	value := bytes.TrimSpace(f.values[name])
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	return value
}

func (f *fields) has(name string) bool { return f.raw(name) != nil }

// number is a number from low to high.
func (f *fields) number(name string, low, high, otherwise float64) float64 {
	raw := f.raw(name)
	if raw == nil {
		return otherwise
	}
	var v float64
	if err := json.Unmarshal(raw, &v); err != nil {
		f.fail(name, "%s is not a number", shown(raw))
		return otherwise
	}
	if v < low || v > high {
		f.fail(name, "%v is not within %v to %v", v, low, high)
	}
	return v
}

// integer is a whole number from low to high.
func (f *fields) integer(name string, low, high, otherwise int64) int64 {
	raw := f.raw(name)
	if raw == nil {
		return otherwise
	}
	v, ok := wholeNumber(raw)
	if !ok {
		f.fail(name, "%s is not a whole number", shown(raw))
		return otherwise
	}
	if v < low || v > high {
		f.fail(name, "%d is not within %d to %d", v, low, high)
	}
	return v
}

// wholeNumber reads a JSON number without a fraction, such as 3, 3.0 or 3e2.
func wholeNumber(raw []byte) (int64, bool) {
	if v, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return v, true
	}
	var v float64
	if json.Unmarshal(raw, &v) != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, false
	}
	return int64(v), true
}

func (f *fields) boolean(name string) bool {
	raw := f.raw(name)
	switch string(raw) {
	case "", "false":
		return false
	case "true":
		return true
	}
	f.fail(name, "%s is neither true nor false", shown(raw))
	return false
}

// text is a string; ok says that there is one.
func (f *fields) text(name string) (text string, ok bool) {
	raw := f.raw(name)
	if raw == nil {
		return "", false
	}
	if json.Unmarshal(raw, &text) != nil {
		f.fail(name, "%s is not a string", shown(raw))
		return "", false
	}
	return text, true
}

// object is an object within; nil where there is none. What is wrong with its fields is found by take.
func (f *fields) object(name string) *fields {
	raw := f.raw(name)
	if raw == nil {
		return nil
	}
	inner := &fields{path: f.path + name + "."}
	if json.Unmarshal(raw, &inner.values) != nil {
		f.fail(name, "%s is not an object", shown(raw))
		return nil
	}
	return inner
}

// take takes over what was found wrong within an object.
func (f *fields) take(inner *fields) {
	if f.wrong == nil && inner != nil {
		f.wrong = inner.wrong
	}
}

// list is an array's values as they are written, of which there may be most.
func (f *fields) list(name string, most int) []json.RawMessage {
	raw := f.raw(name)
	if raw == nil {
		return nil
	}
	values, err := elements(raw, most)
	if err != nil {
		f.fail(name, "%v", err)
	}
	return values
}

// elements are the values of an array. It is read value by value, so that a long one takes no memory.
func elements(raw []byte, most int) ([]json.RawMessage, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s is not an array", shown(raw))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	values := []json.RawMessage{}
	for d.More() {
		if len(values) == most {
			return nil, fmt.Errorf("an array of more than %d", most)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// shown is the beginning of a value for an error.
func shown(raw []byte) string {
	const most = 40
	if len(raw) <= most {
		return string(raw)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(raw[cut]) {
		cut--
	}
	return string(raw[:cut]) + "…"
}

// parseTokens reads an array of token ids below vocab.
func parseTokens(raw []byte, vocab int) ([]int32, error) {
	var values []int64
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("%s is not an array of token ids", shown(raw))
	}
	ids := make([]int32, len(values))
	for i, id := range values {
		if id < 0 || id >= int64(vocab) {
			return nil, fmt.Errorf("token id %d is outside the vocabulary of %d", id, vocab)
		}
		ids[i] = int32(id)
	}
	return ids, nil
}
