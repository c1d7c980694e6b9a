package tokenizer

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// TestComposeIsNFC holds the composition for long runs of marks against the norm package, on text
// where both must agree.
func TestComposeIsNFC(t *testing.T) {
	runes := rapid.OneOf(
		rapid.SampledFrom([]rune("eEaoqs가\u1100\u1161\u11A8\u0301\u0323\u0307\u0327\u0345\u0344\u0308\u1E69ṩệ\u212B\u2ADC\u0958\u09C7\u09BE\u0B47\u0B3E")),
		rapid.Rune(),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(runes, 0, 12, -1).Draw(t, "text")
		if longestRunOfMarks(s) > maxMarks {
			s = s[:len(s)/4]
			s = strings.ToValidUTF8(s, "")
		}
		if got, want := compose(decompose(s, norm.NFD)), norm.NFC.String(s); got != want {
			t.Fatalf("%+q: got %+q, want %+q", s, got, want)
		}
	})
}

// TestComposeKnowsEveryRune does the same for every code point.
func TestComposeKnowsEveryRune(t *testing.T) {
	for r := range rune(0x110000) {
		if 0xD800 <= r && r < 0xE000 {
			continue
		}
		if got, want := compose(decompose(string(r), norm.NFD)), norm.NFC.String(string(r)); got != want {
			t.Fatalf("%+q: got %+q, want %+q", r, got, want)
		}
	}
}

func TestNFCOfLongRunsOfMarks(t *testing.T) {
	acute, below := strings.Repeat("\u0301", 100), strings.Repeat("\u0323", 100)
	tests := []struct{ in, want string }{
		{"e" + acute, "é" + acute[2:]},
		{"xe" + acute + below + "y", "x\u1EB9" + below[2:] + acute + "y"},
		{acute, acute},
		{"é" + acute + "é", "é" + acute + "é"},
	}
	for _, test := range tests {
		if got := unicodeForm(norm.NFC)(test.in); got != test.want {
			t.Errorf("%+q: got %+q, want %+q", test.in, got, test.want)
		}
	}
}
