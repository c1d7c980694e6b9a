// Package config reads config.json with errors in the words of someone who reads the file.
package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode is json.Unmarshal of what Python writes, see Plain: keys count in their exact case only, and Infinity may stand
// for a number where a field takes it by Number. Its errors name the field and what is expected there.
func Decode(data []byte, into any) error {
	data = exact(Plain(data), reflect.TypeOf(into))
	err := json.Unmarshal(data, into)
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
	case kind != nil && field != "" && pythons(data, kind.Offset) != "":
		return fmt.Errorf("%s: %s where %s is expected", field, pythons(data, kind.Offset), wordsFor(kind.Type))
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

// exact leaves out keys that differ from a field's in their case alone, which encoding/json would take for the field's own, in
// objects within it, too. What is no object stays as it is.
func exact(data []byte, t reflect.Type) []byte {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var keys map[string]json.RawMessage
	if t.Kind() != reflect.Struct || json.Unmarshal(data, &keys) != nil || keys == nil {
		return data
	}
	fields, changed := fields(t), false
	for key, value := range keys {
		same := func(name string) bool { return strings.EqualFold(key, name) }
		field, known := fields[key]
		switch {
		case known:
			if within := exact(value, field); !bytes.Equal(within, value) {
				keys[key], changed = within, true
			}
		case slices.ContainsFunc(slices.Collect(maps.Keys(fields)), same):
			delete(keys, key)
			changed = true
		}
	}
	if !changed {
		return data
	}
	kept, err := json.Marshal(keys)
	if err != nil {
		return data
	}
	return kept
}

// fields are the types of a struct's fields and of those that it embeds, by their keys.
func fields(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			maps.Copy(all, fields(inner))
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all[cmp.Or(name, f.Name)] = f.Type
	}
	return all
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
