// Package config reads config.json with errors in the words of someone who reads the file.
package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Decode is json.Unmarshal of what Python writes: Infinity and NaN may stand for numbers where a field takes them by
// Number. Its errors name the field and what is expected there.
func Decode(data []byte, into any) error {
	err := json.Unmarshal(exact(quoted(data), reflect.TypeOf(into)), into)
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var field string
	if errors.As(err, &kind) {
		field = key(kind.Field, reflect.TypeOf(into))
	}
	switch {
	case err == nil:
		return nil
	case kind != nil && strings.HasPrefix(kind.Value, "number "):
		return fmt.Errorf("%s: %s is not %s of %d bits", field, strings.TrimPrefix(kind.Value, "number "), wordsFor(kind.Type), kind.Type.Bits())
	case kind != nil && field != "":
		return fmt.Errorf("%s: %s where %s is expected", field, articled(kind.Value), wordsFor(kind.Type))
	case kind != nil:
		return fmt.Errorf("%s where an object is expected", articled(kind.Value))
	case errors.As(err, &syntax):
		return fmt.Errorf("broken JSON at byte %d: %v", syntax.Offset, err)
	}
	return err // in the words of a type that reads itself
}

// key is the path of a field in a file: encoding/json names the embedded structs of Go's type, too.
func key(path string, t reflect.Type) string {
	for {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		first, rest, _ := strings.Cut(path, ".")
		if t.Kind() != reflect.Struct {
			return path
		}
		f, ok := t.FieldByName(first)
		if !ok || !f.Anonymous {
			return path
		}
		path, t = rest, f.Type
	}
}

// exact leaves out keys that are a field's but for their case, which encoding/json would take for the field's own.
// What is no object stays as it is.
func exact(data []byte, t reflect.Type) []byte {
	var keys map[string]json.RawMessage
	if json.Unmarshal(data, &keys) != nil || keys == nil {
		return data
	}
	known, dropped := names(t), false
	for key := range keys {
		same := func(name string) bool { return strings.EqualFold(key, name) }
		if !slices.Contains(known, key) && slices.ContainsFunc(known, same) {
			delete(keys, key)
			dropped = true
		}
	}
	if !dropped {
		return data
	}
	kept, err := json.Marshal(keys)
	if err != nil {
		return data
	}
	return kept
}

// names are the keys of a struct and of those that it embeds.
func names(t reflect.Type) (all []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			all = append(all, names(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, cmp.Or(name, f.Name))
	}
	return all
}

// pythons are the numbers that JSON does not have.
var pythons = regexp.MustCompile(`"(?:[^"\\\\]|\\\\.)*"|-?Infinity|NaN`)

// quoted puts Python's numbers into quotes; strings stay as they are.
func quoted(data []byte) []byte {
	return pythons.ReplaceAllFunc(data, func(found []byte) []byte {
		if found[0] == '"' {
			return found
		}
		return []byte(`"` + string(found) + `"`)
	})
}

// Number reads a number that may be infinite: as Infinity, in quotes or not, or as {"__float__": "Infinity"}, as newer
// files of Hugging Face have it.
func Number(data []byte) (number float64, err error) {
	var float struct {
		Text string `json:"__float__"`
	}
	if json.Unmarshal(data, &number) == nil {
		return number, nil
	}
	if json.Unmarshal(data, &float.Text) != nil {
		err = json.Unmarshal(data, &float)
	}
	if err == nil {
		number, err = strconv.ParseFloat(float.Text, 64)
	}
	if err != nil || math.IsNaN(number) {
		return 0, fmt.Errorf("%s is no number", data)
	}
	return number, nil
}

// articled names a kind of value as encoding/json does, such as "number 1.5", in a sentence.
func articled(value string) string {
	switch {
	case value == "bool":
		return "true or false"
	case strings.HasPrefix(value, "array"), strings.HasPrefix(value, "object"):
		return "an " + value
	}
	return "a " + value
}

// wordsFor is what a field of that type holds.
func wordsFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int32, reflect.Slice:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct:
		return "an object"
	}
	return "a " + t.Kind().String()
}

// Within refuses a field whose value is out of its bounds.
func Within(name string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("%s %d is not within %d to %d", name, value, low, high)
	}
	return nil
}

// Epsilon refuses a field that is no small positive number.
func Epsilon(name string, eps float64) error {
	if !(eps >= 0) || math.IsInf(eps, 0) {
		return fmt.Errorf("%s %g is not a small positive number", name, eps)
	}
	return nil
}
