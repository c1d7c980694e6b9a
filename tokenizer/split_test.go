package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"github.com/dlclark/regexp2"
	"pgregory.net/rapid"
)

// steps collects what a chain of steps makes of a piece.
func steps(t interface{ Fatal(...any) }, text string, chain ...step) []string {
	var out []string
	err := run(chain, piece{text, atStart}, func(p piece) error {
		out = append(out, p.text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWordsAreGPT2s holds the pattern as written out against the pattern as a regular expression.
func TestWordsAreGPT2s(t *testing.T) {
	engine := cutting(findPattern(regexp2.MustCompile(gpt2Pattern+`|\s+`, regexp2.None), false), removed)
	between := cutting(findPattern(regexp2.MustCompile(gpt2Pattern+`|\s+`, regexp2.None), true), removed)
	check := func(t interface {
		Fatal(...any)
		Fatalf(string, ...any)
	}, s string) {
		if left := steps(t, s, engine); left != nil {
			t.Fatalf("%q: the pattern leaves %q", s, left)
		}
		got, want := steps(t, s, byteLevel(false, true)), steps(t, s, between)
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
	}
	for _, s := range []string{"a\n\nb", " ", "  ", "\n", "a ", "a  ", "a \n", " \u00A0a", "\u00A0 a", "''s", " 's", "'", "''", "'S", "'r", "'re're", " \u0301", "x\u0301y", "1½٣", "Ⅷ a"} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, text().Draw(t, "text")) })
}

func TestAddPrefixSpace(t *testing.T) {
	tests := []struct{ text, want string }{
		{"a b", " a| b"},
		{" a b", " a| b"},
		{"\na", " |\n|a"}, // the added space and the line break are white space in a row
		{"", ""},
	}
	for _, test := range tests {
		if got := strings.Join(steps(t, test.text, byteLevel(true, true)), "|"); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
	if got := steps(t, "a b", byteLevel(true, false)); !slices.Equal(got, []string{" a b"}) {
		t.Errorf("without the pattern: got %q", got)
	}
}

func TestBehaviors(t *testing.T) {
	dash := findPattern(regexp2.MustCompile("-", regexp2.None), false)
	tests := []struct {
		behavior behavior
		want     string
	}{ // "the-final--countdown" is the example of Hugging Face's documentation
		{removed, "the|final|countdown"},
		{isolated, "the|-|final|-|-|countdown"},
		{contiguous, "the|-|final|--|countdown"},
		{mergedWithPrevious, "the-|final-|-|countdown"},
		{mergedWithNext, "the|-final|-|-countdown"},
	}
	for _, test := range tests {
		for name, find := range map[string]finder{
			"pattern": dash,
			"runes":   findRunes(func(r rune) bool { return r == '-' }),
			"invert":  findPattern(regexp2.MustCompile("[^-]+", regexp2.None), true),
		} {
			if name == "invert" && test.behavior != contiguous && test.behavior != removed {
				continue // "--" is one part then
			}
			if got := strings.Join(steps(t, "the-final--countdown", cutting(find, test.behavior)), "|"); got != test.want {
				t.Errorf("%s by %s: got %q, want %q", test.behavior, name, got, test.want)
			}
		}
	}
	if got := strings.Join(steps(t, "--a-", cutting(dash, mergedWithNext)), "|"); got != "-|-a|-" {
		t.Errorf("dashes at the ends, merged with next: got %q", got)
	}
	if got := strings.Join(steps(t, "--a-", cutting(dash, mergedWithPrevious)), "|"); got != "-|-|a-" {
		t.Errorf("dashes at the ends, merged with previous: got %q", got)
	}
}

// TestCutsCoverThePiece: whatever the pattern, nothing is lost or doubled.
func TestCutsCoverThePiece(t *testing.T) {
	patterns := []string{`\s+`, `x*`, `(?=a)`, `\p{L}{1,3}`, `.`, `^`, `$`}
	rapid.Check(t, func(t *rapid.T) {
		re := regexp2.MustCompile(rapid.SampledFrom(patterns).Draw(t, "pattern"), regexp2.Multiline)
		b := rapid.SampledFrom([]behavior{isolated, contiguous, mergedWithPrevious, mergedWithNext}).Draw(t, "behavior")
		s := text().Draw(t, "text")
		got := steps(t, s, cutting(findPattern(re, rapid.Bool().Draw(t, "invert")), b))
		if strings.Join(got, "") != s || slices.Contains(got, "") {
			t.Fatalf("got %q", got)
		}
	})
}

// TestPipelines runs pre-tokenizers of published models. The tiny vocabulary has no merges that
// reach over words, so the tokens tell the words.
func TestPipelines(t *testing.T) {
	merges := [][2]string{{"1", "2"}, {"12", "3"}, {"123", "4"}, {"Ġ", "1"}, {"!", "!"}, {"a", "!"}, {"Ġ", "Ġ"}, {"Ã", "©"}, {"Â", "²"}, {"o", "k"}, {"Ċ", "o"}}
	const byteLevel = `{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}`
	tests := []struct{ name, pipeline, text, want string }{
		{"falcon", `{"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},
			{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},{"type":"Digits","individual_digits":false},
			{"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated","invert":false}]}`,
			"a!! 1234é", "a|!!| |123|4|é"},
		// The byte 0xB2 of "²" is a digit in the alphabet, so the character falls apart.
		{"digits after bytes", `{"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false},
			{"type":"Digits","individual_digits":true}]}`, "²12", "\xC2|\xB2|1|2"},
		{"digits before bytes", `{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},` + byteLevel + `]}`,
			"²12", "²|1|2"},
		{"llama 3", `{"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":
			"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},` + byteLevel + `]}`,
			"  1234 1\nok", " | |123|4| |1|\n|ok"},
		{"string pattern", `{"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"Removed","pattern":{"String":"(!"}},` + byteLevel + `]}`,
			"12(!34", "12|3|4"},
		{"punctuation is isolated by default", `{"type":"Sequence","pretokenizers":[{"type":"Punctuation"},` + byteLevel + `]}`,
			"a!!", "a|!|!"},
		{"nested sequence", `{"type":"Sequence","pretokenizers":[{"type":"Sequence","pretokenizers":[` + byteLevel + `]}]}`,
			"a!!a!", "a|!!|a!"},
	}
	for _, test := range tests {
		tok := mustParse(t, tiny(merges, fields{"pre_tokenizer": test.pipeline}))
		if got := strings.Join(pieces(t, tok, test.text), "|"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPatternTimeout(t *testing.T) {
	re := regexp2.MustCompile(`(a+)+$`, regexp2.None)
	find := findPattern(re, false)
	re.MatchTimeout = 1 // findPattern's own limit takes ten seconds
	err := find(strings.Repeat("a", 64)+"b", func(cut) error { return nil })
	if err == nil || !strings.Contains(err.Error(), `pattern "(a+)+$" took longer than`) {
		t.Errorf("got %v", err)
	}
}
