package grammar

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// FuzzGBNF: whatever a grammar is, it is read or refused, and texts of it can be written.
func FuzzGBNF(f *testing.F) {
	for _, gbnf := range hostile() {
		if len(gbnf) < 2000 {
			f.Add(gbnf)
		}
	}
	f.Add("root ::= <think> [^a-z]* !<[3]> (\"a\" | \"\\u00e9\"){2,5} .\n# end")
	v := tokens(400)
	allow := make([]bool, 400)
	f.Fuzz(func(t *testing.T, gbnf string) {
		defer soon(t, time.Now())
		g, err := Parse(gbnf)
		if err != nil {
			return
		}
		c, err := g.Constraint(v)
		if err != nil {
			return
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for range 20 {
			if err := c.Allowed(allow); err != nil {
				return
			}
			var may []int32
			for id, ok := range allow {
				if ok {
					may = append(may, int32(id))
				}
			}
			if len(may) == 0 {
				if !c.(*constraint).ended {
					t.Fatal("nothing may come next")
				}
				return
			}
			if err := c.Accept(may[rng.IntN(len(may))]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// soon fails where something took far longer than anything may.
func soon(t *testing.T, begin time.Time) {
	t.Helper()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// FuzzSchema: whatever a schema is, it is read or refused, and what is written to it is JSON that meets it.
func FuzzSchema(f *testing.F) {
	for _, c := range schemaCases {
		f.Add(c.schema)
	}
	f.Fuzz(func(t *testing.T, s string) {
		begin := time.Now()
		g, err := FromSchema([]byte(s))
		soon(t, begin)
		if err != nil || len(g.states) > 3000 {
			return
		}
		text := write(t, g, rand.New(rand.NewPCG(1, 1)))
		if !json.Valid([]byte(text)) {
			t.Fatalf("wrote %q", text)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(s))
		if err != nil {
			return
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("schema.json", doc); err != nil {
			return
		}
		check, err := c.Compile("schema.json")
		if err != nil {
			return // the other implementation refuses more
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = check.Validate(v)
		}
		if err != nil && !strings.Contains(err.Error(), "reference cycle") { // a schema that is itself says nothing here
			t.Errorf("wrote %q: %v", text, err)
		}
	})
}
