package chat

import "fmt"

// reader takes arguments off a call, by place or by name.
type reader struct {
	name string
	args
	at   int
	used int
	err  error
}

func newReader(name string, a args) *reader { return &reader{name: name, args: a} }

// next is the argument of that name; ok is false when it is not given.
func (r *reader) next(name string) (v any, ok bool) {
	if r.at < len(r.pos) {
		r.at++
		return r.pos[r.at-1], true
	}
	for i, n := range r.names {
		if n == name {
			r.used++
			return r.named[i], true
		}
	}
	return nil, false
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: "+format, append([]any{r.name}, args...)...)
	}
}

// any is an argument that must be given.
func (r *reader) any(name string) any {
	v, ok := r.next(name)
	if !ok {
		r.fail("missing argument '%s'", name)
	}
	return v
}

// text is a string, or otherwise when none is given. nil is as good as none.
func (r *reader) text(name string, otherwise text) text {
	v, ok := r.next(name)
	if !ok || v == nil {
		return otherwise
	}
	t, ok := v.(text)
	if !ok {
		r.fail("%s must be str, not %s", name, typeName(v))
	}
	return t
}

// int is a whole number, or otherwise when none is given.
func (r *reader) int(name string, otherwise int64) int64 {
	v, ok := r.next(name)
	if !ok || v == nil {
		return otherwise
	}
	i, _, isInt, ok := number(v)
	if !ok || !isInt {
		r.fail("%s must be int, not %s", name, typeName(v))
	}
	return i
}

// bool is the truth of an argument, or otherwise when none is given.
func (r *reader) bool(name string, otherwise bool) bool {
	v, ok := r.next(name)
	if !ok {
		return otherwise
	}
	return truth(v)
}

// done reports arguments that nobody took, and other errors.
func (r *reader) done() error {
	if r.err == nil && (r.at < len(r.pos) || r.used < len(r.names)) {
		r.fail("too many arguments, or one with an unknown name")
	}
	return r.err
}
