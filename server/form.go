package server

import (
	"errors"

	"github.com/mmrun/mmrun/grammar"
	"github.com/mmrun/mmrun/sample"
)

// A form is what an answer has to look like; without a grammar it is any text.
type form struct {
	grammar *grammar.Grammar
	param   string // the field that asks for it
}

// readForm reads response_format, or, as llama.cpp's server has them, grammar and json_schema.
func readForm(f *fields) form {
	var all []form
	if o := f.object("response_format"); o != nil {
		one := readFormat(o)
		f.take(o)
		if one.grammar != nil {
			all = append(all, one)
		}
	}
	if text, ok := f.text("grammar"); ok {
		g, err := grammar.Parse(text)
		all = append(all, f.form("grammar", g, err))
	}
	if schema := f.raw("json_schema"); schema != nil {
		g, err := grammar.FromSchema(schema)
		all = append(all, f.form("json_schema", g, err))
	}
	switch {
	case len(all) == 0 || f.wrong != nil:
		return form{}
	case len(all) > 1:
		f.fail(all[1].param, "an answer cannot be of this form and of that of %s", all[0].param)
	}
	return all[0]
}

// form is that of a grammar, which a field asks for.
func (f *fields) form(name string, g *grammar.Grammar, err error) form {
	if err != nil {
		f.fail(name, "%v", err)
	}
	return form{g, f.path + name}
}

// readFormat reads OpenAI's response_format.
func readFormat(o *fields) form {
	kind, _ := o.text("type")
	switch kind {
	case "text":
	case "json_object":
		if schema := o.raw("schema"); schema != nil { // llama.cpp's
			g, err := grammar.FromSchema(schema)
			return o.form("schema", g, err)
		}
		return form{grammar.JSONObject(), "response_format"}
	case "json_schema":
		inner := o.object("json_schema")
		if inner == nil {
			o.fail("json_schema", "there is none")
			return form{}
		}
		schema := inner.raw("schema")
		if schema == nil {
			schema = []byte("{}")
		}
		g, err := grammar.FromSchema(schema)
		one := inner.form("schema", g, err)
		o.take(inner)
		return one
	default:
		o.fail("type", "%q is none of text, json_object and json_schema", kind)
	}
	return form{}
}

// constraint is the form as the sampler of one answer takes it; nil where it is any text.
func (f form) constraint(o *opened) (sample.Constraint, error) {
	if f.grammar == nil {
		return nil, nil
	}
	c, err := f.grammar.Constraint(o.model.Vocabulary())
	if err != nil {
		return nil, badField(f.param, "%s: %v", f.param, err)
	}
	return c, nil
}

// formProblem is what a client is told when its form turned out to be too much while an answer was made; nil for
// other errors.
func formProblem(err error) *problem {
	if errors.Is(err, grammar.ErrTooAmbiguous) || errors.Is(err, grammar.ErrTooLarge) {
		return badField("response_format", "%v", err)
	}
	return nil
}
