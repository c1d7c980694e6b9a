package mmrun_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// callAll calls every exported method of a value, with zeros for arguments, contexts but for one that is there. What fails by
// a panic is told, and errors have to be one of those to test for.
func callAll(t *testing.T, what string, value any, typed ...error) {
	t.Helper()
	v := reflect.ValueOf(value)
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		m := v.Method(i)
		args := make([]reflect.Value, m.Type().NumIn())
		for j := range args {
			args[j] = reflect.Zero(m.Type().In(j))
			if m.Type().In(j) == reflect.TypeFor[context.Context]() {
				args[j] = reflect.ValueOf(t.Context())
			}
		}
		if m.Type().IsVariadic() {
			args = args[:len(args)-1]
		}
		func() {
			defer func() {
				if cause := recover(); cause != nil {
					t.Errorf("%s: %s panics: %v", what, name, cause)
				}
			}()
			for _, out := range m.Call(args) {
				checkResult(t, fmt.Sprintf("%s: %s", what, name), out, typed)
			}
		}()
	}
}

// checkResult takes what a method returned: an error, or a sequence that yields one.
func checkResult(t *testing.T, what string, out reflect.Value, typed []error) {
	t.Helper()
	if err, ok := out.Interface().(error); ok {
		for _, is := range typed {
			if errors.Is(err, is) {
				return
			}
		}
		t.Errorf("%s: %v is none of the errors to test for", what, err)
		return
	}
	if kind := out.Type(); kind.Kind() == reflect.Func && kind.NumIn() == 1 && kind.In(0).Kind() == reflect.Func && !out.IsNil() {
		yield := kind.In(0)
		out.Call([]reflect.Value{reflect.MakeFunc(yield, func(args []reflect.Value) []reflect.Value {
			checkResult(t, what, args[len(args)-1], typed)
			return []reflect.Value{reflect.ValueOf(false)}
		})})
	}
}

// TestClosedAndNil calls all there is of what is closed and of what is nil.
func TestClosedAndNil(t *testing.T) {
	m, err := mmrun.Open(modelDir(t, refmodel.MemMamba, 1), mmrun.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	scheduler, err := m.NewScheduler(engine.SchedulerOptions{Places: 1})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := scheduler.Submit(t.Context(), engine.Request{Prompt: []int32{1}, LogProbs: -1})
	if err != nil {
		t.Fatal(err)
	}
	err = scheduler.Close()
	state := session.State()
	session.Close()
	if err = errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	typed := []error{mmrun.ErrClosed, mmrun.ErrRefused, mmrun.ErrEmptyPrompt}
	for name, value := range map[string]any{
		"closed model": m, "closed engine": m.Model, "closed session": session, "closed state": state, "closed scheduler": scheduler, "stream": stream,
		"nil engine": (*engine.Model)(nil), "nil session": (*mmrun.Session)(nil), "nil state": (*engine.State)(nil),
		"nil scheduler": (*engine.Scheduler)(nil), "nil stream": (*engine.Stream)(nil),
		"empty model": &mmrun.Model{}, "empty engine": &engine.Model{}, "empty session": &mmrun.Session{}, "empty state": &engine.State{},
	} {
		callAll(t, name, value, typed...)
	}
}
