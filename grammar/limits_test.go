package grammar

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// tokens is a vocabulary: single bytes, and words of random letters.
func tokens(n int) *Vocabulary {
	rng := rand.New(rand.NewPCG(3, 3))
	pieces := make([][]byte, n)
	for i := range pieces {
		if i < 256 {
			pieces[i] = []byte{byte(i)}
			continue
		}
		const letters = "aaabbb  \"{}[],:0123456789xyzé\\\n"
		for range 1 + rng.IntN(12) {
			pieces[i] = append(pieces[i], letters[rng.IntN(len(letters))])
		}
	}
	pieces[0] = nil // the end; every byte has a token
	pieces[256] = []byte{0}
	return NewVocabulary(pieces, []int32{0}, nil)
}

// hostile are grammars that have many readings, or ask for much.
func hostile() map[string]string {
	deep := "root ::= a0\n"
	for i := range 2000 {
		deep += fmt.Sprintf("a%d ::= \"a\" a%d \"b\" | \"c\"\n", i, i+1)
	}
	deep += `a2000 ::= "d"`
	pairs := "root ::= b0\n"
	for i := range 30 {
		pairs += fmt.Sprintf("b%d ::= b%d b%d | b%d\n", i, i+1, i+1, i+1)
	}
	pairs += `b30 ::= "a"`
	return map[string]string{
		"counts in counts":  `root ::= (((("a" | "aa"){0,1000}){0,1000}){3,1000}){2,1000000000}`,
		"counts of nothing": `root ::= ((("a"?){5,1000} "b"?){7,1000}){9,1000} "x"`,
		"options":           "root ::= " + strings.Repeat(`"a"? `, 3000),
		"plusses":           "root ::= " + strings.Repeat("(", 150) + `"a"` + strings.Repeat("+)", 150),
		"stars":             "root ::= " + strings.Repeat("(", 150) + `"a"*` + strings.Repeat(" [ab]*)*", 150),
		"doubling":          `root ::= "a" root root | "a" | "b" root "b" root | ""`,
		"palindromes":       `root ::= [ab] root [ab] | "a" root "a" | "b" root "b" | [ab ] root | ""`,
		"pairs":             pairs,
		"deep":              deep,
		"count windows":     `root ::= (([ab]{1,50}){40,4000} " "?){50,500}`,
		"many counts":       "root ::= (" + strings.Repeat(`[ab]{3,900} ([abc]{2,800})* `, 40) + "){2,100}",
		"alternatives":      "root ::= (" + strings.Repeat(`[ab]* "a" [ab]{0,90} | `, 300) + `"x")*`,
	}
}

// TestHostileGrammars: whatever a grammar asks for, it and every token take a bounded time, and what cannot be done
// is an error.
func TestHostileGrammars(t *testing.T) {
	v := tokens(5000)
	allow := make([]bool, 5000)
	for name, gbnf := range hostile() {
		begin := time.Now()
		g, err := Parse(gbnf)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: reading it took %v", name, took)
		}
		if err != nil {
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		c, err := g.Constraint(v)
		rng := rand.New(rand.NewPCG(5, 5))
		var longest time.Duration
		steps := 0
		for ; err == nil && steps < 40; steps++ {
			begin := time.Now()
			if err = c.Allowed(allow); err != nil {
				break
			}
			var may []int32
			for id, ok := range allow {
				if ok && id > 0 {
					may = append(may, int32(id))
				}
			}
			if len(may) == 0 {
				break
			}
			err = c.Accept(may[rng.IntN(len(may))])
			longest = max(longest, time.Since(begin))
		}
		if longest > 2*time.Second {
			t.Errorf("%s: a token took %v", name, longest)
		}
		if err != nil && !errors.Is(err, ErrTooAmbiguous) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostileSchemas: a schema of very many ways is done or refused at once.
func TestHostileSchemas(t *testing.T) {
	var properties, anyOfs []string
	for i := range 30 {
		properties = append(properties, fmt.Sprintf(`"p%d":{"type":"integer"}`, i))
		anyOfs = append(anyOfs, fmt.Sprintf(`{"anyOf":[{"properties":{"a%d":{"const":1}}},{"properties":{"b%d":{"const":2}}}]}`, i, i))
	}
	doubled := `"d30":{"type":"null"}`
	for i := range 30 {
		doubled += fmt.Sprintf(`,"d%d":{"type":"object","properties":{"l":{"$ref":"#/$defs/d%d"},"r":{"$ref":"#/$defs/d%d"}}}`, i, i+1, i+1)
	}
	for _, test := range []struct {
		name, schema string
		done         bool
	}{
		{"optional properties", `{"type":"object","properties":{` + strings.Join(properties, ",") + `}}`, true},
		{"anyOf in allOf", `{"type":"object","allOf":[` + strings.Join(anyOfs, ",") + `]}`, false},
		{"references doubled", `{"$ref":"#/$defs/d0","$defs":{` + doubled + `}}`, true},
		{"lengths", `{"type":"array","items":{"type":"string","maxLength":1073741824},"minItems":1073741824}`, true},
		{"lengths in lengths", strings.Repeat(`{"type":"array","minItems":1000,"maxItems":2000,"items":`, 100) + `{}` + strings.Repeat(`}`, 100), true},
		{"pattern", `{"pattern":"(a|b)*a(a|b){20}$"}`, false},
		{"patterns", `{"allOf":[{"pattern":"a.{9}$"},{"pattern":"b.{9}$"},{"pattern":"c.{9}$"}]}`, false},
		{"recursion", `{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"$ref":"#"},{"allOf":[{"$ref":"#"},{"$ref":"#"}]}]}`, true},
		{"enum", `{"enum":[` + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaaaa",`, 20000) + `1]}`, true},
		{"objects told apart", `{"oneOf":[` + strings.Repeat(`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]},`, 60) + `{"type":"null"}]}`, false},
	} {
		begin := time.Now()
		_, err := FromSchema([]byte(test.schema))
		if took := time.Since(begin); took > 3*time.Second { // a second and less on a quiet machine
			t.Errorf("%s: it took %v", test.name, took)
		}
		if (err == nil) != test.done {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
