package grammar

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ways of a text through a grammar: what it may do after each of its bytes.
type reading struct {
	began int  // how many bytes may begin a text of the grammar
	whole bool // the text is one
}

// read reads a text byte by byte.
func read(t testing.TB, g *Grammar, text string) reading {
	t.Helper()
	m := newMachine(g, 9)
	at := m.start()
	for i := range len(text) {
		if at = m.step(at, g.classes[text[i]]); at == nowhere {
			return reading{i, false}
		}
	}
	if m.stacks.work <= 0 {
		t.Fatalf("%q was too much work", text)
	}
	return reading{len(text), m.places[at].ends}
}

func parse(t testing.TB, gbnf string) *Grammar {
	t.Helper()
	g, err := Parse(gbnf)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// plain finds by the definition where texts of an expression that begin at a place may end: the plain way, which
// looks at everything again and again.
type plain struct {
	rules *rules
	text  string
}

func (p plain) ends(e *expr, from []int) []int {
	out := map[int]bool{}
	add := func(ends []int) {
		for _, at := range ends {
			out[at] = true
		}
	}
	switch e.op {
	case opSeq:
		for _, sub := range e.subs {
			from = p.ends(sub, from)
		}
		add(from)
	case opAlt:
		for _, sub := range e.subs {
			add(p.ends(sub, from))
		}
	case opText:
		for _, at := range from {
			if strings.HasPrefix(p.text[at:], e.text) {
				out[at+len(e.text)] = true
			}
		}
	case opRunes:
		for _, at := range from {
			for i, r := range p.text[at:] {
				if i == 0 && e.set.has(r) {
					out[at+len(string(r))] = true
				}
			}
		}
	case opRepeat:
		reached := from
		for n := 0; ; n++ {
			if n >= e.min {
				add(reached)
			}
			if n == e.max || n > e.min+len(p.text) || len(reached) == 0 {
				break
			}
			reached = p.ends(e.subs[0], reached)
		}
	case opRule:
		if len(from) > 0 {
			add(p.ends(p.rules.bodies[e.rule], from))
		}
	}
	var list []int
	for at := range out {
		list = append(list, at)
	}
	slices.Sort(list)
	return list
}

// drawExpr draws an expression, of few characters so that texts often fit.
func drawExpr(t *rapid.T, depth int, rule, rules int) *expr {
	kinds := []op{opText, opRunes}
	if depth > 0 {
		kinds = append(kinds, opSeq, opAlt, opRepeat, opRule)
	}
	switch rapid.SampledFrom(kinds).Draw(t, "op") {
	case opText:
		return text(rapid.SampledFrom([]string{"a", "b", "ab", "", "é"}).Draw(t, "text"))
	case opRunes:
		return runes(rapid.SampledFrom([]runeSet{of("ab"), of("b"), of("aé"), of("b").not()}).Draw(t, "set"))
	case opSeq:
		return seq(drawExprs(t, depth, rule, rules)...)
	case opAlt:
		return alt(drawExprs(t, depth, rule, rules)...)
	case opRepeat:
		min := rapid.IntRange(0, 3).Draw(t, "min")
		max := rapid.SampledFrom([]int{unlimited, min, min + 1, min + 9}).Draw(t, "max")
		return repeat(drawExpr(t, depth-1, rule, rules), min, max)
	}
	to := rapid.IntRange(0, rules-1).Draw(t, "rule")
	if to <= rule { // back only after a character
		return seq(text("a"), optional(call(int32(to))))
	}
	return call(int32(to))
}

func drawExprs(t *rapid.T, depth, rule, rules int) []*expr {
	n := rapid.IntRange(1, 3).Draw(t, "subs")
	subs := make([]*expr, n)
	for i := range subs {
		subs[i] = drawExpr(t, depth-1, rule, rules)
	}
	return subs
}

// TestMachineIsTheDefinition: of grammars as they come, ambiguous ones too, the machine takes the texts that the
// definition takes.
func TestMachineIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &rules{}
		n := rapid.IntRange(1, 3).Draw(t, "rules")
		for i := range n {
			r.rule(string(rune('a' + i)))
		}
		for i := range n {
			r.bodies[i] = drawExpr(t, 3, i, n)
		}
		g, err := compile(r, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			s := rapid.StringOfN(rapid.SampledFrom([]rune("abé")), 0, 9, -1).Draw(t, "text")
			p := plain{r, s}
			want := slices.Contains(p.ends(r.bodies[0], []int{0}), len(s))
			m := newMachine(g, 9)
			at := m.start()
			for i := 0; i < len(s) && at != nowhere; i++ {
				at = m.step(at, g.classes[s[i]])
			}
			if got := at != nowhere && m.places[at].ends; got != want {
				t.Fatalf("%q: %v, want %v", s, got, want)
			}
		}
	})
}

// TestNoDeadEnds: from every place that a text can reach it can be completed.
func TestNoDeadEnds(t *testing.T) {
	for _, gbnf := range []string{
		`root ::= "a" (b | c) "d"
b ::= "x" b "y"
c ::= "z"`,
		`root ::= "(" root ")" | "x"`,
		`root ::= ("a" | "b" nothing)* "c"
nothing ::= [] | "q" nothing`,
	} {
		g := parse(t, gbnf)
		m := newMachine(g, 9)
		m.stacks.work = 1 << 30
		at := m.start()
		open, from := []int32{at}, map[int32][]int32{}
		for len(open) > 0 {
			at, open = open[0], open[1:]
			for class := range g.bytes {
				next := m.step(at, uint8(class))
				if next == nowhere {
					continue
				}
				if from[next] == nil && next != 0 {
					open = append(open, next)
				}
				from[next] = append(from[next], at)
			}
		}
		good := map[int32]bool{}
		for at := range m.places {
			if m.places[at].ends {
				good[int32(at)] = true
				open = append(open, int32(at))
			}
		}
		for len(open) > 0 {
			at, open = open[0], open[1:]
			for _, before := range from[at] {
				if !good[before] {
					good[before] = true
					open = append(open, before)
				}
			}
		}
		for i := range m.places {
			if !good[int32(i)] {
				t.Errorf("%s: place %d of %d has no end", gbnf, i, len(m.places))
			}
		}
	}
}
