package chat

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

var (
	errLarge = errors.New("a whole number is too large")
	errZero  = errors.New("division by zero")
)

// arithmetic works out a + b and the like.
func (m *machine) arithmetic(op string, a, b any) (any, error) {
	for _, v := range []any{a, b} {
		if u, ok := v.(*undefined); ok {
			return nil, u.error()
		}
	}
	i, f, isInt, ok := number(a)
	j, g, isInt2, ok2 := number(b)
	switch {
	case ok && ok2 && isInt && isInt2:
		return integers(op, i, j)
	case ok && ok2:
		return floats(op, f, g)
	case op == "*" && ok2 && isInt2:
		return m.repeat(a, j)
	case op == "*" && ok && isInt:
		return m.repeat(b, i)
	}
	if s, ok := a.(text); ok {
		switch op {
		case "%":
			return m.percent(s, b)
		case "+":
			t, ok := b.(text)
			if !ok {
				return nil, fmt.Errorf(`can only concatenate str (not "%s") to str`, typeName(b))
			}
			return join(s, t), m.step(len(s.s) + len(t.s))
		}
	}
	if l, ok := a.(*list); ok && op == "+" {
		if r, ok := b.(*list); ok && l.tuple == r.tuple && l.view+r.view == "" {
			items := append(append([]any{}, l.items...), r.items...)
			return &list{items: items, tuple: l.tuple}, m.entries(len(items))
		}
	}
	return nil, fmt.Errorf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

// repeat is a string or a list several times.
func (m *machine) repeat(v any, n int64) (any, error) {
	size := 0
	switch v := v.(type) {
	case text:
		size = len(v.s)
	case *list:
		size = 16 * len(v.items)
	default:
		return nil, fmt.Errorf("can't multiply sequence by non-int of type '%s'", typeName(v))
	}
	n = max(n, 0)
	if size > 0 && n > m.work/int64(size) {
		return nil, errWork
	}
	if err := m.step(size * int(min(n, mostWork))); err != nil {
		return nil, err
	}
	if t, ok := v.(text); ok {
		var b builder
		for range n {
			if t.s == "" {
				break
			}
			b.add(t)
		}
		return b.text(), nil
	}
	l := v.(*list)
	out := &list{tuple: l.tuple}
	for range n {
		if len(l.items) == 0 {
			break
		}
		out.items = append(out.items, l.items...)
	}
	return out, nil
}

func integers(op string, a, b int64) (any, error) {
	switch op {
	case "+":
		if s := a + b; (s > a) == (b > 0) {
			return s, nil
		}
		return nil, errLarge
	case "-":
		if s := a - b; (s < a) == (b > 0) {
			return s, nil
		}
		return nil, errLarge
	case "*":
		return product(a, b)
	case "**":
		return power(a, b)
	}
	if b == 0 {
		return nil, errZero
	}
	if a == math.MinInt64 && b == -1 {
		return nil, errLarge
	}
	switch op {
	case "/":
		return float64(a) / float64(b), nil
	case "//":
		q := a / b
		if a%b != 0 && (a < 0) != (b < 0) {
			q--
		}
		return q, nil
	}
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r, nil
}

func product(a, b int64) (any, error) {
	abs := func(v int64) uint64 {
		if v < 0 {
			return -uint64(v)
		}
		return uint64(v)
	}
	high, low := bits.Mul64(abs(a), abs(b))
	if high != 0 || low > math.MaxInt64 {
		return nil, errLarge
	}
	return a * b, nil
}

func power(a, b int64) (any, error) {
	if b < 0 {
		if a == 0 {
			return nil, errZero
		}
		return math.Pow(float64(a), float64(b)), nil
	}
	if a == 0 || a == 1 || a == -1 {
		b = min(b, 2+b%2) // has the same result
	}
	out := int64(1)
	for range b {
		v, err := product(out, a)
		if err != nil {
			return nil, err
		}
		out = v.(int64)
	}
	return out, nil
}

func floats(op string, a, b float64) (any, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "**":
		return math.Pow(a, b), nil
	}
	if b == 0 {
		return nil, errZero
	}
	switch op {
	case "/":
		return a / b, nil
	case "//":
		return math.Floor(a / b), nil
	}
	r := math.Mod(a, b)
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r, nil
}
