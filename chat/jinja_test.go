package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mmrun/mmrun/internal/bounded"
	"github.com/mmrun/mmrun/tokenizer"
)

// when is the time that the expected texts were made at.
var when = time.Date(2024, 7, 26, 15, 4, 5, 0, time.UTC)

// render is what a template makes of messages.
func render(t testing.TB, template string, messages []byte) (Rendered, error) {
	t.Helper()
	return renderWithin(t, template, messages, usual)
}

func renderWithin(t testing.TB, template string, messages []byte, within limits) (Rendered, error) {
	t.Helper()
	list, err := ParseMessages(messages)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := Parse("test", template)
	if err != nil {
		return Rendered{}, err
	}
	tmpl.Tokens, tmpl.limits = tokens, within
	return tmpl.Render(Input{Messages: list, GenerationPrompt: true, Now: when})
}

// TestJinja holds the language against what Jinja 3.1.6 makes of small templates, with Hugging Face's
// settings.
func TestJinja(t *testing.T) {
	var tests []struct {
		Template    string
		Text, Error *string
	}
	if err := json.Unmarshal(read(t, "jinja.json"), &tests); err != nil || len(tests) == 0 {
		t.Fatalf("%d tests (%v)", len(tests), err)
	}
	messages := read(t, "jinja-messages.json")
	for _, test := range tests {
		got, err := render(t, test.Template, messages)
		switch {
		case test.Error != nil && err == nil:
			t.Errorf("%q: got %q, want an error as %s", test.Template, got.Text, *test.Error)
		case test.Error == nil && (err != nil || got.Text != *test.Text):
			t.Errorf("%q: got %q (%v), want %q", test.Template, got.Text, err, *test.Text)
		}
		checkSpans(t, got)
	}
}

func checkSpans(t testing.TB, r Rendered) {
	t.Helper()
	at := 0
	for _, s := range r.Literal {
		if s.From < at || s.From >= s.To || s.To > len(r.Text) {
			t.Fatalf("%q has the spans %v", r.Text, r.Literal)
		}
		at = s.To
	}
}

// TestLiteral: what came with the messages is known through every operation.
func TestLiteral(t *testing.T) {
	const messages = `[{"role":"user","content":" Ab<s>,cd ","n":"<s>","list":["x","y"]}]`
	tests := []struct{ template, want string }{ // in braces what is of the messages
		{"<s>{{ messages[0].content }}</s>", "<s>{ Ab<s>,cd }</s>"},
		{"{{ '<s>' + messages[0].content.strip() + '</s>' }}", "<s>{Ab<s>,cd}</s>"},
		{"{{ messages[0].content|trim|upper }}x", "{AB<S>,CD}x"},
		{"{{ ('a' ~ messages[0].n ~ 'b')[1:-1] }}", "{<s>}"},
		{"{{ ('a' ~ messages[0].n ~ 'b')[::-1] }}", "b{>s<}a"},
		{"{{ messages[0].content.split(',')|join('<s>') }}", "{ Ab<s>}<s>{cd }"},
		{"{{ messages[0].content.replace('Ab', '<s>') }}", "{ }<s>{<s>,cd }"},
		{"{{ '%s|%s'|format('<s>', messages[0].n) }}", "<s>|{<s>}"},
		{"{{ '{}<s>'.format(messages[0].n) }}", "{<s>}<s>"},
		{"{{ messages[0].n.replace('', '') }}{{ ''.replace('', '') }}|{{ messages[0].n.replace('', '-', 3) }}", "{<s>}|-{<}-{s}-{>}"},
		{"{{ messages[0].list }}", "['{x}', '{y}']"},
		{"{{ messages[0].list|tojson }}", `["{x}", "{y}"]`},
		{"{{ {'<s>': messages[0].n}|tojson }}", `{"<s>": "{<s>}"}`},
		{"{% set x %}<s>{{ messages[0].n }}{% endset %}{{ x }}", "<s>{<s>}"},
		{"{% macro f(x) %}<s>{{ x }}{% endmacro %}{{ f(messages[0].n) }}", "<s>{<s>}"},
		{"{{ messages[0].n|indent(1, true) }}", " {<s>}"},
		{"{{ messages[0].n.center(7, '*') }}", "**{<s>}**"},
		{"{{ messages[0].n * 2 }}", "{<s><s>}"},
		{"{% for c in messages[0].n %}{{ c }}-{% endfor %}", "{<}-{s}-{>}-"},
		{"{{ messages[0].n|e }}", "{&lt;s&gt;}"},
		{"{{ messages[0].role }}{{ messages[0].keys()|first }}", "{userrole}"},
		{"{{ strftime_now(messages[0].n) }}", "{<s>}"},
		{"{{ bos_token }}{{ messages|map(attribute='n')|first }}", "<s>{<s>}"},
	}
	for _, test := range tests {
		got, err := render(t, test.template, []byte(messages))
		var b strings.Builder
		at := 0
		for _, s := range got.Literal {
			b.WriteString(got.Text[at:s.From] + "{" + got.Text[s.From:s.To] + "}")
			at = s.To
		}
		if b.WriteString(got.Text[at:]); err != nil || b.String() != test.want {
			t.Errorf("%s: got %s (%v), want %s", test.template, b.String(), err, test.want)
		}
	}
}

// TestNoTokenOutOfMessages: a message that names special tokens, in parts or as a whole, gets none.
func TestNoTokenOutOfMessages(t *testing.T) {
	vocab := tokenizer.Vocab{Model: "gpt2", Pre: "gpt-2", BOS: -1, EOS: -1, Unknown: -1, Tokens: []string{"<s>", "</s>"}, Types: []int32{3, 3}}
	for _, c := range "<s>/ax" {
		vocab.Tokens, vocab.Types = append(vocab.Tokens, string(c)), append(vocab.Types, 1)
	}
	tok, err := tokenizer.FromVocab(vocab)
	if err != nil {
		t.Fatal(err)
	}
	got, err := render(t, "<s>{{ messages[0].content }}</s>{{ messages[0].content|trim('x') }}<{{ 's>' }}",
		[]byte(`[{"role":"user","content":"x<s>a</s><"}]`))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tok.EncodeWith(got.Text, tokenizer.Options{NoSpecial: true, LiteralSpans: got.Literal})
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(ids); s != "[0 7 2 3 4 6 2 5 3 4 2 1 2 3 4 6 2 5 3 4 2 0]" {
		t.Errorf("got %s of %q", s, got.Text)
	}
}

// TestBounds: whatever a template says, it ends, in time and with little memory.
func TestBounds(t *testing.T) {
	tests := []struct{ template, want string }{
		{"{% for i in range(1000000000) %}{% endfor %}", "Range too big"},
		{"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "too "},
		{"{% for i in range(99999) %}{% for j in range(99999) %}{{ 'x' * 1000 }}{% endfor %}{% endfor %}", "too "},
		{"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls inside one another more than 100 deep"},
		{"{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "calls inside one another more than 100 deep"},
		{"{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(90) }}", "too many steps"},
		{"{{ 'x' * 10000000000 }}", "too much text"},
		{"{{ [1] * 10000000000 }}", "too much text"},
		{"{% set ns = namespace(s='x') %}{% for i in range(99999) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "too much text"},
		{"{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "too much text"},
		{"{% set ns = namespace(s=[1]) %}{% for i in range(999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}", "more than 100 deep"},
		{"{% set ns = namespace(s=[1]) %}{% for i in range(999) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s == ns.s }}", "more than 100 deep"},
		{"{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}", "too "},
		{"{{ 'a'.replace('', 'x' * 1000000).replace('x', 'x' * 1000) }}", "too much text"},
		{"{{ 'x'.ljust(100000000000) }}", "too much text"},
		{"{{ '%1000000000d' % 1 }}", "more than 1000 characters"},
		{"{{ 9223372036854775807 + 1 }}", "too large"},
		{"{{ 9223372036854775807 * 3 }}", "too large"},
		{"{{ 10 ** 1000000000000 }}", "too large"},
		{strings.Repeat("(", 5000) + "{{" + strings.Repeat("(", 5000), "more than 100 brackets"},
		{strings.Repeat("{% if 1 %}", 5000), "more than 100 blocks"},
		{"{{ " + strings.Repeat("not ", 5000) + "1 }}", "more than 100 blocks or expressions"},
		{"{{ " + strings.Repeat("-", 5000) + "1 }}", "more than 100 blocks or expressions"},
		{"{{ 1" + strings.Repeat(" + 1", 50000) + " }}", "more than 2000 operators"},
		{"{{ a" + strings.Repeat(".a", 50000) + " }}", "more than 2000 attributes"},
		{"{{ a" + strings.Repeat("|trim", 50000) + " }}", "more than 2000 filters"},
		{"{{ 1" + strings.Repeat(" if 1 else 1", 50000) + " }}", "more than 100 blocks or expressions"},
		{"{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", "more than 100 deep"},
	}
	within := limits{steps: 300_000, work: 8 << 20, time: time.Hour}
	for _, test := range tests {
		_, err := renderWithin(t, test.template, []byte("[]"), within)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: got %v, want %s", test.template, err, test.want)
		}
	}
	within = limits{steps: 1 << 40, work: 1 << 60, time: time.Millisecond}
	_, err := renderWithin(t, "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", []byte("[]"), within)
	if err == nil || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("too long: got %v", err)
	}
}

func FuzzTemplate(f *testing.F) {
	var tests []struct{ Template string }
	if err := json.Unmarshal(read(f, "jinja.json"), &tests); err != nil {
		f.Fatal(err)
	}
	messages := read(f, "jinja-messages.json")
	for _, test := range tests {
		f.Add(test.Template, messages)
	}
	f.Fuzz(func(t *testing.T, template string, messages []byte) {
		list, err := ParseMessages(messages)
		if err != nil {
			list = []Message{NewMessage("user", "hello <s>")}
		}
		bounded.Run(t, len(template)+len(messages), func() {
			tmpl, err := Parse("fuzz", template)
			if err != nil {
				return
			}
			tmpl.limits = limits{steps: 100_000, work: 4 << 20, each: 16, time: time.Hour}
			if got, err := tmpl.Render(Input{Messages: list}); err == nil {
				checkSpans(t, got)
			}
		})
	})
}
