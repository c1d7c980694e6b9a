package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestForms: an answer is of the form that is asked for, at once and in a stream; a form that cannot be is 400, soon.
func TestForms(t *testing.T) {
	r := usual(t)
	schema := fields{"type": "object", "properties": fields{"name": fields{"type": "string", "maxLength": 5}, "age": fields{"type": "integer", "minimum": 1, "maximum": 99}},
		"required": []string{"name", "age"}, "additionalProperties": false}
	var v struct {
		Name string
		Age  int
	}
	body := fields{"messages": []fields{{"role": "user", "content": "Who?"}}, "temperature": 1, "seed": 1, "max_tokens": 60,
		"response_format": fields{"type": "json_schema", "json_schema": fields{"name": "person", "strict": true, "schema": schema}}}
	a := r.ask("/v1/chat/completions", body)
	text := a.Choices[0].text()
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.Age < 1 || v.Age > 99 || len([]rune(v.Name)) > 5 || *a.Choices[0].Finish != "stop" {
		t.Errorf("%q, %v", text, err)
	}
	events, _ := r.stream("/v1/chat/completions", body)
	if got, finish := joined(events, 0); got != text || finish != "stop" {
		t.Errorf("a stream has %q, %s", got, finish)
	}
	if got := r.text(fields{"prompt": "x", "grammar": `root ::= "yes" | "no"`, "temperature": 1}); got != "yes" && got != "no" {
		t.Errorf("by a grammar: %q", got)
	}
	if got := r.text(fields{"prompt": "x", "response_format": fields{"type": "json_object"}, "temperature": 0, "max_tokens": 8}); !strings.HasPrefix(strings.TrimSpace(got), "{") {
		t.Errorf("an object: %q", got)
	}
	begun := time.Now()
	for _, test := range []struct{ fields, param string }{
		{`"grammar": "root ::= ("`, "grammar"}, {`"grammar": 3`, "grammar"}, {`"response_format": {"type": "json_schema"}`, "response_format.json_schema"},
		{`"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}`, "response_format.json_schema.schema"},
		{`"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "string", "minLength": 5, "maxLength": 2}}}`, "response_format.json_schema.schema"},
		{`"response_format": {"type": "json_object"}, "grammar": "root ::= \"x\""`, "grammar"},
	} {
		if e := r.failed("POST", "/v1/completions", `{"prompt": "x", `+test.fields+`}`, 400); e.Param != test.param {
			t.Errorf("%s: %+v", test.fields, e)
		}
	}
	if spent := time.Since(begun); spent > 5*time.Second {
		t.Errorf("forms that cannot be took %v", spent)
	}
}
