package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const personSchema = `{"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":12},
	"age":{"type":"integer","minimum":3,"maximum":99},"mood":{"enum":["good","bad"]}},"required":["name","age","mood"]}`

// TestGenerateJSON: whatever the seed, the text is JSON that meets the schema and ends by itself; in a batch it is the
// same as alone.
func TestGenerateJSON(t *testing.T) {
	path := file(t, "schema.json", personSchema)
	check := func(text string) {
		var person struct {
			Name, Mood string
			Age        int
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&person); err != nil || person.Name == "" || len([]rune(person.Name)) > 12 ||
			person.Age < 3 || person.Age > 99 || person.Mood != "good" && person.Mood != "bad" {
			t.Errorf("%q: %+v (%v)", text, person, err)
		}
	}
	var alone []string
	for _, seed := range []string{"1", "2"} {
		r := generate(t, "The captain", "--json-schema", path, "--seed", seed, "-n", "200", "--temp", "1.5", "--top-k", "0")
		if r.FinishReason != "eos" {
			t.Errorf("seed %s ended by %s", seed, r.FinishReason)
		}
		check(r.Text)
		alone = append(alone, r.Text)
	}
	batch := succeed(t, "generate", "--batch", file(t, "lines", "The captain\nThe captain\n"), "--json-schema", path, "--seed", "2", "-n", "200",
		"--temp", "1.5", "--top-k", "0")
	for line := range strings.Lines(batch) {
		var r batchReport
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Text != alone[1] {
			t.Errorf("in a batch: %q (%v), alone %q", r.Text, err, alone[1])
		}
	}
}

func TestGenerateGrammar(t *testing.T) {
	path := file(t, "answer.gbnf", `root ::= "Yes" | "No, " [a-z ]{3,9} "."`)
	for _, args := range [][]string{{"--temp", "0"}, {"--seed", "3"}} {
		text := succeed(t, append([]string{"generate", "Did he come? ", "--grammar", path}, args...)...)
		if !regexp.MustCompile(`^(Yes|No, [a-z ]{3,9}\.)\n$`).MatchString(text) {
			t.Errorf("%v: %q", args, text)
		}
	}
}

func TestBadGrammars(t *testing.T) {
	nothing := filepath.Join(t.TempDir(), "nothing")
	schema, gbnf := file(t, "s.json", `{"properties":{"a":{"not":{}}}}`), file(t, "g.gbnf", "root ::= \"a\"\nroot ::= \"b\"\n")
	for _, test := range []struct{ flag, path, says string }{
		{"--json-schema", nothing, nothing + ": no such file"},
		{"--json-schema", schema, schema + ": schema: #/properties/a: not: it cannot be held to"},
		{"--grammar", gbnf, gbnf + `: grammar: line 2: rule "root" is there twice`},
	} {
		wantError(t, execute(t, "", "generate", "x", "--quiet", test.flag, test.path), exitFailure, test.says)
	}
}
