package chat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A value is nil (None), bool, int64, float64, text, or a pointer to one of the kinds below.
type (
	undefined struct{ what string } // what is missing, for errors
	list      struct {
		items []any
		tuple bool
		view  string // what dict.keys and the like call themselves; they have no entries by number
	}
	dict struct {
		keys   []any
		values map[string]any
	}
	namespace struct{ vars *dict }
	numbers   struct{ from, to, step, n int64 } // range()
	// native is a function of Go.
	native struct {
		name string
		call func(m *machine, a args) (any, error)
	}
	macro struct {
		def   *macroDef
		scope *scope
	}
)

// args are the values that a function is called with.
type args struct {
	pos   []any
	names []string
	named []any
}

func newDict() *dict { return &dict{values: map[string]any{}} }

func (d *dict) set(key, value any) error {
	k, err := keyOf(key, 0)
	if err != nil {
		return err
	}
	if _, ok := d.values[k]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[k] = value
	return nil
}

func (d *dict) get(key any) (any, bool) {
	k, err := keyOf(key, 0)
	if err != nil {
		return nil, false
	}
	v, ok := d.values[k]
	return v, ok
}

// at is the value of a key that there is.
func (d *dict) at(key any) any {
	v, _ := d.get(key)
	return v
}

// keyOf makes equal keys of equal values.
func keyOf(v any, depth int) (string, error) {
	switch v := v.(type) {
	case nil:
		return "none", nil
	case bool:
		if v {
			return "n1", nil
		}
		return "n0", nil
	case int64:
		return "n" + strconv.FormatInt(v, 10), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return "n" + strconv.FormatInt(int64(v), 10), nil
		}
		return "f" + strconv.FormatFloat(v, 'g', -1, 64), nil
	case text:
		return "s" + v.s, nil
	case *list:
		if !v.tuple || depth > maxDepth {
			break
		}
		var b strings.Builder
		b.WriteString("t")
		for _, item := range v.items {
			k, err := keyOf(item, depth+1)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%d:%s", len(k), k)
		}
		return b.String(), nil
	case *undefined, *native, *macro, *namespace, *numbers, *iterator:
		return fmt.Sprintf("p%p", v), nil
	}
	return "", fmt.Errorf("unhashable type: '%s'", typeName(v))
}

// typeName is Python's name of a value's type.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case text:
		return "str"
	case *list:
		switch {
		case v.view != "":
			return v.view
		case v.tuple:
			return "tuple"
		}
		return "list"
	case *dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *numbers:
		return "range"
	case *iterator:
		return v.kind
	case *loop:
		return "LoopContext"
	case *macro:
		return "Macro"
	}
	return "function"
}

// truth is what "if" makes of a value.
func truth(v any) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case text:
		return v.s != ""
	case *list:
		return len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	case *numbers:
		return v.n > 0
	}
	return true
}
