package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestWindows: a long text that is searched window by window has the matches that it has as a whole.
func TestWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	parts := []string{"the", " sea", " ", "  ", "\n", "\r\n", "é", "日本", "12345", "don't", "...", "\u3000", "x", strings.Repeat("a", 3000), strings.Repeat(" ", 2000)}
	var b strings.Builder
	for b.Len() < 4*windowSize {
		b.WriteString(parts[rng.IntN(len(parts))])
	}
	texts := []string{b.String(), strings.Repeat("a", 3*windowSize), strings.Repeat(" ", 2*windowSize) + "a"}
	for _, pattern := range []string{llama3Pattern, gpt2Pattern, `(?<=e)x`, `^.`, `.$`, `\Athe|\z`, `b*`} {
		re, err := compilePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			var want, got [][2]int // in runes, then in bytes
			m, err := re.FindStringMatch(text)
			for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
				want = append(want, [2]int{m.Index, m.Index + m.Length})
			}
			if err != nil {
				t.Fatal(err)
			}
			runes, at := 0, 0
			count := func(to int) int {
				runes += len([]rune(text[at:to]))
				at = to
				return runes
			}
			err = findPattern(re, false)(text, func(c cut) error {
				from := count(c.from)
				if to := count(c.to); c.hit {
					got = append(got, [2]int{from, to})
				}
				return nil
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, text %d: %d matches, want %d (%v)", pattern, i, len(got), len(want), err)
			}
		}
	}
}
