package server

import "github.com/mmrun/mmrun/sample"

// A form is what an answer has to look like; the zero value is any text.
type form struct{}

// readForm reads response_format and grammar.
func readForm(f *fields) form {
	o := f.object("response_format")
	if o == nil {
		return form{}
	}
	if kind, _ := o.text("type"); kind != "text" {
		o.fail("type", "%q is not known (text is)", kind)
	}
	f.take(o)
	return form{}
}

// constraint is the form as a sampler takes it; nil where it is any text.
func (form) constraint(*opened) (sample.Constraint, error) { return nil, nil }
