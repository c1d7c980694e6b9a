package grammar

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func schema(t testing.TB, s string) *Grammar {
	t.Helper()
	g, err := FromSchema([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return g
}

// write writes a text at random, and after a while takes the shortest way to its end.
func write(t testing.TB, g *Grammar, rng *rand.Rand) string {
	t.Helper()
	m := newMachine(g, 1)
	m.stacks.work = 1 << 30
	at := m.start()
	var out []byte
	for range 20 + rng.IntN(100) {
		if m.places[at].ends && rng.IntN(4) == 0 {
			return string(out)
		}
		var may []byte
		for b := range 256 {
			if m.step(at, g.classes[b]) != nowhere {
				may = append(may, byte(b))
			}
		}
		if len(may) == 0 {
			break
		}
		b := may[rng.IntN(len(may))]
		if rng.IntN(4) == 0 && bytes.IndexByte(may, '"') >= 0 {
			b = '"'
		}
		out = append(out, b)
		at = m.step(at, g.classes[b])
	}
	return string(out) + finish(t, m, at)
}

// finish is the shortest way from a place to an end.
func finish(t testing.TB, m *machine, at int32) string {
	t.Helper()
	way := map[int32]string{at: ""}
	for open := []int32{at}; len(open) > 0; open = open[1:] {
		at := open[0]
		if m.places[at].ends {
			return way[at]
		}
		for class, b := range m.g.bytes {
			if next := m.step(at, uint8(class)); next != nowhere {
				if _, ok := way[next]; !ok {
					way[next] = way[at] + string([]byte{b})
					open = append(open, next)
				}
			}
		}
	}
	t.Fatal("there is no way to an end")
	return ""
}

// validator is another implementation of JSON Schema.
func validator(t testing.TB, s string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	sch, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return sch
}

// schemaCases are schemas with texts that can be written, and texts that cannot.
var schemaCases = []struct {
	schema    string
	good, bad []string
}{
	{`{}`, []string{`1`, `{"a": [null]}`, `"x"`}, []string{``, `{`, `tru`, `01`, `{"a":1,}`}},
	{`true`, []string{`1`}, nil},
	{`{"type":"object"}`, []string{`{}`, `{"a":1}`, "{\n  \"a\": {\"b\": []}\n}"}, []string{`[]`, `{"a"}`, ` {}`, `{} `}},
	{`{"type":"null"}`, []string{`null`}, []string{`nul`, `nulll`}},
	{`{"type":["string","null"],"minLength":2}`, []string{`null`, `"ab"`}, []string{`"a"`}},
	{`{"type":"boolean"}`, []string{`true`, `false`}, []string{`1`}},
	{`{"type":"integer"}`, []string{`0`, `-12`, `999999999999999`}, []string{`1.0`, `-0`, `1e2`, `01`}},
	{`{"type":"number"}`, []string{`0`, `-1.5e-7`, `0.25`, `1E5`}, []string{`.5`, `1.`, `+1`, `1e999`}},
	{`{"type":"integer","minimum":-3,"maximum":12}`, []string{`-3`, `0`, `12`, `9`, `10`}, []string{`-4`, `13`, `-0`, `00`, `100`}},
	{`{"type":"integer","exclusiveMinimum":9,"exclusiveMaximum":100}`, []string{`10`, `99`}, []string{`9`, `100`, `1`, `-50`}},
	{`{"type":"integer","minimum":150}`, []string{`150`, `151`, `200`, `1000`}, []string{`149`, `99`, `0`, `-200`}},
	{`{"type":"integer","maximum":-5}`, []string{`-5`, `-10`}, []string{`-4`, `0`, `5`}},
	{`{"type":"integer","multipleOf":7,"minimum":0,"maximum":100}`, []string{`0`, `7`, `98`}, []string{`1`, `99`, `105`}},
	{`{"type":"number","minimum":0.5,"maximum":1.25}`, []string{`0.5`, `1`, `1.25`, `1.2500`, `0.75`}, []string{`0.4`, `0`, `1.3`, `1.251`, `0.49`, `1e0`}},
	{`{"type":"number","exclusiveMinimum":0}`, []string{`0.001`, `1`}, []string{`0`, `0.0`, `-1`}},
	{`{"type":"number","multipleOf":0.25}`, []string{`0.25`, `1`, `1.5`, `-0.75`}, []string{`0.3`, `1.251`}},
	{`{"type":"string"}`, []string{`""`, `"é€😀"`, `"\u00e9\n"`, `"\ud83d\ude00"`}, []string{`"\x"`, "\"\n\"", `"\ud83d"`, `"\ude00"`}},
	{`{"type":"string","minLength":2,"maxLength":3}`, []string{`"ab"`, `"😀é€"`, `"\u0041b"`, `"\ud83d\ude00b"`}, []string{`"a"`, `"abcd"`, `"😀"`}},
	{`{"type":"string","pattern":"^[a-c]+$"}`, []string{`"a"`, `"abc"`}, []string{`""`, `"d"`, `"ab `}},
	{`{"type":"string","pattern":"b\\d"}`, []string{`"b1"`, `"xxb1yy"`, `"bb2"`}, []string{`"b"`, `"1b"`}},
	{`{"type":"string","pattern":"^a|b$"}`, []string{`"ax"`, `"xb"`}, []string{`"xa"`, `"bx"`}},
	{`{"type":"string","pattern":"^\".*\\\\$"}`, []string{`"\"\\"`, `"\"x\\"`}, []string{`"x\\"`}},
	{`{"type":"string","pattern":"^[a-z]*$","maxLength":3,"minLength":1}`, []string{`"a"`, `"abc"`}, []string{`""`, `"abcd"`}},
	{`{"type":"string","format":"date"}`, []string{`"2024-02-29"`, `"1999-12-31"`}, []string{`"2023-02-29"`, `"2024-13-01"`, `"2024-04-31"`, `"1900-02-29"`}},
	{`{"type":"string","format":"date-time"}`, []string{`"2024-02-29T23:59:59.5Z"`, `"2024-01-01T00:00:00+01:00"`}, []string{`"2024-01-01"`, `"2024-01-01T24:00:00Z"`}},
	{`{"type":"string","format":"uuid"}`, []string{`"123e4567-e89b-12d3-a456-426614174000"`}, []string{`"123e4567"`}},
	{`{"type":"string","format":"ipv4"}`, []string{`"127.0.0.1"`}, []string{`"256.0.0.1"`, `"1.2.3"`, `"01.2.3.4"`}},
	{`{"type":"string","format":"email"}`, []string{`"a.b@example.com"`}, []string{`"a"`, `"@b"`}},
	{`{"type":"string","format":"password"}`, []string{`"x"`}, nil},
	{`{"enum":["a",1,null,{"b":[true]},"a"]}`, []string{`"a"`, `1`, `null`, `{"b":[true]}`}, []string{`"b"`, `2`}},
	{`{"type":"string","enum":["a",1,"bcd"],"maxLength":2}`, []string{`"a"`}, []string{`1`, `"bcd"`}},
	{`{"const":"x\ny"}`, []string{`"x\ny"`}, []string{`"x"`}},
	{`{"type":"array","items":{"type":"integer"}}`, []string{`[]`, `[1]`, `[1, 2,3]`}, []string{`[1,]`, `["a"]`, `[,1]`}},
	{`{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3}`, []string{`[1,2]`, `[1,2,3]`}, []string{`[]`, `[1]`, `[1,2,3,4]`}},
	{`{"type":"array","maxItems":0}`, []string{`[]`}, []string{`[1]`}},
	{`{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]}`, []string{`[1,"a"]`}, []string{`[]`, `[1]`, `[1,"a",2]`}},
	{`{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"},"minItems":1}`, []string{`[1]`, `[1,"a"]`, `[1,"a",null,null]`}, []string{`[]`, `[1,"a",2]`}},
	{`{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":[{"type":"integer"}],"additionalItems":false}`, []string{`[1]`}, []string{`[1,2]`}},
	{`{"type":"array","prefixItems":[{"type":"integer"}],"minItems":3}`, []string{`[1,"a",null]`}, []string{`[1]`}},
	{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]}`,
		[]string{`{"a":1}`, `{"a": 1, "b": "x"}`}, []string{`{}`, `{"b":"x"}`, `{"b":"x","a":1}`, `{"a":1,"c":2}`, `{"a":"x"}`}},
	{`{"properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"boolean"}}`,
		[]string{`{}`, `{"a":1}`, `{"x":true}`, `{"a":1,"b":true,"ab":false}`, `{"":true}`}, []string{`{"a":true}`, `{"x":1}`, `{"x":true,"a":1}`}},
	{`{"type":"object","required":["x"]}`, []string{`{"x":1}`}, []string{`{}`, `{"x":1,"y":2}`}},
	{`{"type":"object","required":["x"],"additionalProperties":true}`, []string{`{"x":1}`, `{"x":1,"y":2}`}, []string{`{"y":2}`}},
	{`{"type":"object","properties":{"a":true,"b":true,"c":true},"minProperties":2,"maxProperties":2}`, []string{`{"a":1,"c":2}`}, []string{`{"a":1}`, `{"a":1,"b":1,"c":1}`}},
	{`{"type":"object","additionalProperties":{"type":"null"},"maxProperties":2}`, []string{`{}`, `{"a":null,"b":null}`}, []string{`{"a":null,"b":null,"c":null}`}},
	{`{"type":"object","patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":{"type":"string"}}`, []string{`{"x-a":1,"y":"b"}`}, []string{`{"x-a":"b"}`, `{"y":1}`}},
	{`{"type":"object","patternProperties":{"^x":{"type":"integer"},"y$":{"minimum":5}}}`, []string{`{"xa":1,"xy":7}`, `{"y":7}`}, []string{`{"xy":4}`, `{"z":7}`, `{"y":4}`}},
	{`{"type":"object","propertyNames":{"pattern":"^[a-c]$"}}`, []string{`{"a":1}`}, []string{`{"d":1}`, `{"ab":1}`}},
	{`{"type":"object","propertyNames":{"enum":["a","bc"]},"additionalProperties":{"type":"null"}}`, []string{`{"a":null}`, `{"bc":null}`}, []string{`{"b":null}`}},
	{`{"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]}`, []string{`1`, `"a"`}, []string{`"ab"`, `null`}},
	{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
		[]string{`{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`}, []string{`{}`}},
	{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}`,
		[]string{`{"a":1}`, `{"b":1}`}, []string{`{}`, `{"a":1,"b":2}`}},
	{`{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind"]},{"type":"object","properties":{"kind":{"const":"b"}},"required":["kind"]}]}`,
		[]string{`{"kind":"a","x":1}`, `{"kind":"b"}`}, []string{`{"kind":"b","x":1}`, `{}`}},
	{`{"oneOf":[{"type":"integer","maximum":5},{"type":"integer","minimum":6},{"type":"string","pattern":"^a"},{"type":"string","pattern":"^b"},{"type":"null"}]}`,
		[]string{`5`, `6`, `"a"`, `"b"`, `null`}, []string{`"c"`}},
	{`{"allOf":[{"type":"integer","minimum":3},{"maximum":9},{"multipleOf":2}]}`, []string{`4`, `8`}, []string{`3`, `10`}},
	{`{"allOf":[{"properties":{"a":{"type":"integer"}},"additionalProperties":false},{"properties":{"a":{"minimum":5},"b":true}}]}`, []string{`{"a":5}`, `{}`}, []string{`{"a":4}`, `{"b":1}`}},
	{`{"$defs":{"n":{"type":"integer"}},"type":"object","properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/properties/a","minimum":3}},"required":["b"]}`,
		[]string{`{"a":1,"b":3}`, `{"b":3}`}, []string{`{"b":2}`}},
	{`{"$ref":"#/definitions/tree","definitions":{"tree":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/definitions/tree"}}},"required":["v"],"additionalProperties":false}}}`,
		[]string{`{"v":1}`, `{"v":1,"kids":[{"v":2,"kids":[]}]}`}, []string{`{"kids":[]}`, `{"v":1,"kids":[{}]}`}},
	{`{"$id":"https://example.com/s","$ref":"#n","$defs":{"x":{"$anchor":"n","type":"null"}}}`, []string{`null`}, []string{`1`}},
	{`{"type":"object","properties":{"a/b~c":{"type":"null"},"x":{"$ref":"#/properties/a~1b~0c"}}}`, []string{`{"x":null}`}, []string{`{"x":1}`}},
	{`{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["next"]}`, []string{`{"next":null}`, `{"next":{"next":null}}`}, []string{`{}`}},
	{`{"type":"object","properties":{"a":false,"b":{"type":"null"}}}`, []string{`{}`, `{"b":null}`}, []string{`{"a":1}`}},
	{`{"title":"t","description":"d","default":1,"examples":[1],"$schema":"https://json-schema.org/draft/2020-12/schema","x-mine":{"not":1},"type":"integer"}`, []string{`1`}, nil},
}

func TestSchemas(t *testing.T) {
	for _, test := range schemaCases {
		g := schema(t, test.schema)
		check := validator(t, test.schema)
		for _, s := range test.good {
			if r := read(t, g, s); !r.whole {
				t.Errorf("%s: %s cannot be written: %d bytes of %d", test.schema, s, r.began, len(s))
			}
		}
		for _, s := range test.bad {
			if read(t, g, s).whole {
				t.Errorf("%s: %s can be written", test.schema, s)
			}
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			s := write(t, g, rng)
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(s))
			if err == nil {
				err = check.Validate(v)
			}
			if err != nil {
				t.Errorf("%s: wrote %q: %v", test.schema, s, err)
				break
			}
		}
	}
}

// TestBadSchemas: what cannot be held to names the keyword and where it stands.
func TestBadSchemas(t *testing.T) {
	for _, test := range []struct{ schema, want string }{
		{`{`, "not JSON"},
		{`{} x`, "not JSON"},
		{`[]`, "#: schema: it is neither"},
		{`{"type":"strin"}`, `#: type: "strin" is none`},
		{`{"properties":{"a":{"type":5}}}`, "#/properties/a: type"},
		{`{"a":1,"a":2}`, `the key "a" is there twice`},
		{`{"minLength":-1}`, "#: minLength: it is not a whole number"},
		{`{"items":{"not":{}}}`, "#/items: not: it cannot be held to"},
		{`{"if":{},"then":{}}`, "if"},
		{`{"type":"array","uniqueItems":true}`, "uniqueItems"},
		{`{"contains":{}}`, "contains"},
		{`{"$ref":"https://example.com/x"}`, `$ref: "https://example.com/x" is outside`},
		{`{"$ref":"#/nowhere"}`, `$ref: there is no "#/nowhere"`},
		{`{"$ref":"#/type","type":"object"}`, "no schema"},
		{`{"pattern":"(?=a)"}`, "#: pattern:"},
		{`{"pattern":"\\bx"}`, "#: pattern:"},
		{`{"pattern":"(a|aa)\\1"}`, "#: pattern:"},
		{`{"pattern":"("}`, "#: pattern:"},
		{`{"pattern":"(.{0,900}x){0,900}"}`, "#: pattern:"},
		{`{"pattern":"a.{500}$","maxLength":4000}`, "too large"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "#: oneOf: alternatives 0 and 1 may both be met"},
		{`{"anyOf":[]}`, "anyOf"},
		{`{"enum":[]}`, "enum"},
		{`{"type":"integer","minimum":5,"maximum":4}`, "no text can meet it"},
		{`{"type":"integer","multipleOf":0}`, "multipleOf"},
		{`{"type":"number","multipleOf":1234567.89}`, "too large"},
		{`{"type":"number","minimum":1e1000000000}`, "has too"},
		{`{"allOf":[{"type":"integer"},{"type":"string"}]}`, "no text can meet it"},
		{`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, "no text can meet it"},
		{`{"const":1,"type":"string"}`, "no text can meet it"},
		{`false`, "no text can meet it"},
		{`{"type":"object","required":["a"],"additionalProperties":false}`, "no text can meet it"},
		{strings.Repeat(`{"items":`, 300) + `{}` + strings.Repeat(`}`, 300), "nests more than"},
	} {
		_, err := FromSchema([]byte(test.schema))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.100s: got %v, want %s", test.schema, err, test.want)
		}
	}
	if _, err := FromSchema(make([]byte, MaxSource+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge schema: %v", err)
	}
}

// TestPatterns: regular expressions as ECMA-262 means them.
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern   string
		good, bad []string
	}{
		{`^\u00e9\s?\/\w$`, []string{"é/a", "é\u00a0/_"}, []string{"e/a", "é/é"}},
		{`^\u{1F600}[\s\d]$`, []string{"😀\v", "😀7"}, []string{"😀x"}},
		{`^.\S$`, []string{"ab"}, []string{"a ", "\na", "\u2028a"}},
		{`^[[\]^-]+$`, []string{"[]^-"}, []string{"a"}},
		{`^(a|b*)?c{2,3}$`, []string{"acc", "bbccc", "cc"}, []string{"c", "abcc"}},
		{`^$`, []string{""}, []string{"a"}},
		{`a^b`, nil, []string{"ab", "a^b"}},
		{`^\p{Lu}\cA$`, []string{"Ä\x01"}, []string{"ä\x01"}},
		{`x*`, []string{"", "yyy"}, nil},
	} {
		d, err := pattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		not := d.not()
		for _, s := range test.good {
			if !d.accepts(s) || not.accepts(s) {
				t.Errorf("%s does not match %q", test.pattern, s)
			}
		}
		for _, s := range test.bad {
			if d.accepts(s) || !not.accepts(s) {
				t.Errorf("%s matches %q", test.pattern, s)
			}
		}
	}
}
