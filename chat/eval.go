package chat

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// eval works an expression out.
func (m *machine) eval(e expr, s *scope) (any, error) {
	if err := m.step(0); err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case constExpr:
		return e.value, nil
	case nameExpr:
		return s.get(e.name), nil
	case listExpr:
		items, err := m.evalAll(e.items, s)
		return &list{items: items, tuple: e.tuple}, err
	case dictExpr:
		return m.evalDict(e, s)
	case attrExpr:
		of, err := m.eval(e.of, s)
		if err != nil {
			return nil, err
		}
		return m.attr(of, e.name)
	case itemExpr:
		return m.evalItem(e, s)
	case callExpr:
		return m.evalCall(e, s)
	case filterExpr:
		return m.evalFilter(e, s)
	case testExpr:
		return m.evalTest(e, s)
	case unaryExpr:
		v, err := m.eval(e.of, s)
		if err != nil {
			return nil, err
		}
		return unary(e.op, v)
	case binaryExpr:
		return m.evalBinary(e, s)
	case compareExpr:
		return m.evalCompare(e, s)
	case condExpr:
		return m.evalCond(e, s)
	}
	return nil, fmt.Errorf("internal error: an expression of type %T", e)
}

func (m *machine) evalAll(es []expr, s *scope) ([]any, error) {
	out := make([]any, 0, len(es))
	for _, e := range es {
		v, err := m.eval(e, s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, m.entries(len(es))
}

func (m *machine) evalDict(e dictExpr, s *scope) (any, error) {
	d := newDict()
	for i := range e.keys {
		key, err := m.eval(e.keys[i], s)
		if err != nil {
			return nil, err
		}
		value, err := m.eval(e.values[i], s)
		if err != nil {
			return nil, err
		}
		if err := d.set(key, value); err != nil {
			return nil, err
		}
	}
	return d, m.entries(4 * len(e.keys))
}

func (m *machine) evalCond(e condExpr, s *scope) (any, error) {
	v, err := m.eval(e.test, s)
	if err != nil {
		return nil, err
	}
	switch {
	case truth(v):
		return m.eval(e.then, s)
	case e.other != nil:
		return m.eval(e.other, s)
	}
	return &undefined{"the inline if-expression evaluated to false and no else section was defined."}, nil
}

func (m *machine) evalFilter(e filterExpr, s *scope) (any, error) {
	v, err := m.eval(e.of, s)
	if err != nil {
		return nil, err
	}
	a, err := m.arguments(e.args, s)
	if err != nil {
		return nil, err
	}
	return m.filter(e.name, v, a)
}

func (m *machine) filter(name string, v any, a args) (any, error) {
	f := filters[name]
	if f == nil {
		return nil, fmt.Errorf("No filter named '%s' found.", name) //lint:ignore ST1005 Jinja's own words
	}
	return f(m, v, a)
}

func (m *machine) evalTest(e testExpr, s *scope) (any, error) {
	v, err := m.eval(e.of, s)
	if err != nil {
		return nil, err
	}
	a, err := m.arguments(e.args, s)
	if err != nil {
		return nil, err
	}
	ok, err := m.test(e.name, v, a)
	return ok != e.not, err
}

func (m *machine) test(name string, v any, a args) (bool, error) {
	f := tests[name]
	if f == nil {
		return false, fmt.Errorf("No test named '%s' found.", name) //lint:ignore ST1005 Jinja's own words
	}
	return f(m, v, a)
}

func (m *machine) arguments(e arguments, s *scope) (a args, err error) {
	if a.pos, err = m.evalAll(e.pos, s); err != nil {
		return a, err
	}
	if e.star != nil {
		v, err := m.eval(e.star, s)
		if err != nil {
			return a, err
		}
		items, err := m.items(v)
		if err != nil {
			return a, err
		}
		a.pos = append(a.pos, items...)
	}
	a.names = slices.Clone(e.names)
	if a.named, err = m.evalAll(e.values, s); err != nil || e.stars == nil {
		return a, err
	}
	v, err := m.eval(e.stars, s)
	if err != nil {
		return a, err
	}
	d, ok := v.(*dict)
	if !ok {
		return a, fmt.Errorf("argument after ** must be a mapping, not %s", typeName(v))
	}
	for _, key := range d.keys {
		name, ok := key.(text)
		if !ok {
			return a, fmt.Errorf("keywords must be strings")
		}
		a.names, a.named = append(a.names, name.s), append(a.named, d.at(key))
	}
	return a, m.entries(len(d.keys))
}

func (m *machine) evalCall(e callExpr, s *scope) (any, error) {
	fn, err := m.eval(e.fn, s)
	if err != nil {
		return nil, err
	}
	a, err := m.arguments(e.args, s)
	if err != nil {
		return nil, err
	}
	return m.call(fn, a)
}

// call calls a function, a macro, or the variable of a recursive loop.
func (m *machine) call(fn any, a args) (any, error) {
	if m.calls++; m.calls > maxDepth {
		return nil, fmt.Errorf("calls inside one another more than %d deep", maxDepth)
	}
	defer func() { m.calls-- }()
	switch fn := fn.(type) {
	case *native:
		return fn.call(m, a)
	case *macro:
		return m.callMacro(fn, a)
	case *loop:
		if fn.again == nil {
			return nil, fmt.Errorf("the loop is not recursive")
		}
		if len(a.pos) != 1 {
			return nil, fmt.Errorf("loop() takes one argument, not %d", len(a.pos))
		}
		items, err := m.items(a.pos[0])
		if err != nil {
			return nil, err
		}
		return fn.again(items)
	case *undefined:
		return nil, fn.error()
	}
	return nil, fmt.Errorf("'%s' object is not callable", typeName(fn))
}

func (m *machine) callMacro(fn *macro, a args) (any, error) {
	s := fn.scope.inner()
	d := fn.def
	for i, name := range d.params {
		at := slices.Index(a.names, name)
		switch {
		case i < len(a.pos):
			s.set(name, a.pos[i])
		case at >= 0:
			s.set(name, a.named[at])
		case i >= len(d.params)-len(d.defaults):
			v, err := m.eval(d.defaults[i-len(d.params)+len(d.defaults)], s)
			if err != nil {
				return nil, err
			}
			s.set(name, v)
		default:
			s.set(name, &undefined{fmt.Sprintf("parameter '%s' was not provided", name)})
		}
	}
	if len(a.pos) > len(d.params) && !d.reads["varargs"] {
		return nil, fmt.Errorf("macro '%s' takes not more than %d argument(s)", d.name, len(d.params))
	}
	kwargs := newDict()
	for i, name := range a.names {
		switch {
		case slices.Contains(d.params, name):
		case name == "caller" && d.reads[name]:
			s.set(name, a.named[i])
		case d.reads["kwargs"]:
			_ = kwargs.set(text{s: name}, a.named[i])
		default:
			return nil, fmt.Errorf("macro '%s' takes no keyword argument '%s'", d.name, name)
		}
	}
	varargs := &list{tuple: true}
	if len(a.pos) > len(d.params) {
		varargs.items = a.pos[len(d.params):]
	}
	s.set("varargs", varargs)
	s.set("kwargs", kwargs)
	return m.captured(d.body, s, nil)
}

func unary(op string, v any) (any, error) {
	if op == "not" {
		return !truth(v), nil
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.error()
	}
	i, f, isInt, ok := number(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("bad operand type for unary %s: '%s'", op, typeName(v))
	case isInt && op == "-":
		if i == math.MinInt64 {
			return nil, errLarge
		}
		return -i, nil
	case isInt:
		return i, nil
	case op == "-":
		return -f, nil
	}
	return f, nil
}

func (m *machine) evalBinary(e binaryExpr, s *scope) (any, error) {
	left, err := m.eval(e.left, s)
	if err != nil {
		return nil, err
	}
	if e.op == "and" && !truth(left) || e.op == "or" && truth(left) {
		return left, nil
	}
	right, err := m.eval(e.right, s)
	if err != nil || e.op == "and" || e.op == "or" {
		return right, err
	}
	if e.op == "~" {
		a, err := m.str(left)
		if err != nil {
			return nil, err
		}
		b, err := m.str(right)
		if err != nil {
			return nil, err
		}
		return join(a, b), m.step(len(a.s) + len(b.s))
	}
	return m.arithmetic(e.op, left, right)
}

func (m *machine) evalCompare(e compareExpr, s *scope) (any, error) {
	left, err := m.eval(e.first, s)
	if err != nil {
		return nil, err
	}
	for i, op := range e.ops {
		right, err := m.eval(e.rest[i], s)
		if err != nil {
			return nil, err
		}
		ok, err := m.compare(op, left, right)
		if err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (m *machine) compare(op string, a, b any) (bool, error) {
	switch op {
	case "==", "!=":
		ok, err := m.equal(a, b, 0)
		return ok == (op == "=="), err
	case "in", "not in":
		ok, err := m.contains(b, a)
		return ok == (op == "in"), err
	case "<":
		return m.less(a, b, op, 0)
	case ">":
		return m.less(b, a, op, 0)
	}
	for _, v := range []any{a, b} {
		if _, f, isInt, ok := number(v); ok && !isInt && math.IsNaN(f) {
			return false, nil
		}
	}
	if op == "<=" {
		ok, err := m.less(b, a, op, 0)
		return !ok, err
	}
	ok, err := m.less(a, b, op, 0)
	return !ok, err
}

// contains is Python's "in".
func (m *machine) contains(where, what any) (bool, error) {
	switch w := where.(type) {
	case text:
		t, ok := what.(text)
		if !ok {
			return false, fmt.Errorf("'in <string>' requires string as left operand, not %s", typeName(what))
		}
		return strings.Contains(w.s, t.s), m.step(len(w.s))
	case *dict:
		if _, err := keyOf(what, 0); err != nil {
			return false, err
		}
		_, ok := w.get(what)
		return ok, nil
	case *iterator:
		return w.has(m, what)
	case *namespace, *native, *macro, *loop, nil, bool, int64, float64:
		return false, fmt.Errorf("argument of type '%s' is not iterable", typeName(where))
	}
	items, err := m.items(where)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		if ok, err := m.equal(item, what, 0); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
