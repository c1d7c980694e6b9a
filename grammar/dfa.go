package grammar

import (
	"fmt"
	"slices"
)

// dfa is a finite automaton over characters. It begins in state 0.
type dfa struct {
	edges [][]dfaEdge // by state, in order and apart
	final []bool
}

type dfaEdge struct {
	set runeRange
	to  int
}

// mostDFA bounds the states of an automaton, and mostDFAWork the steps to make one.
const (
	mostDFA     = 4000
	mostDFAWork = 400_000
)

// explore makes the automaton that is in state start at first, and goes where steps says.
func explore[S comparable](start S, final func(S) bool, steps func(S, func(runeRange, S))) (*dfa, error) {
	d := &dfa{}
	index := map[S]int{}
	var states []S
	number := func(s S) int {
		i, ok := index[s]
		if !ok {
			i = len(states)
			index[s] = i
			states = append(states, s)
		}
		return i
	}
	number(start)
	work := 0
	for i := 0; i < len(states); i++ {
		if len(states) > mostDFA || work > mostDFAWork {
			return nil, ErrTooLarge
		}
		var edges []dfaEdge
		steps(states[i], func(set runeRange, to S) {
			work++
			edges = append(edges, dfaEdge{set, number(to)})
		})
		slices.SortFunc(edges, func(a, b dfaEdge) int { return int(a.set.lo) - int(b.set.lo) })
		d.edges = append(d.edges, joined(edges))
		d.final = append(d.final, final(states[i]))
	}
	return d, nil
}

// joined makes one edge of those that touch and lead to the same state.
func joined(edges []dfaEdge) []dfaEdge {
	out := edges[:0]
	for _, e := range edges {
		if n := len(out); n > 0 && out[n-1].to == e.to && out[n-1].set.hi+1 == e.set.lo {
			out[n-1].set.hi = e.set.hi
			continue
		}
		out = append(out, e)
	}
	return out
}

// after is the state after a character; false where there is none.
func (d *dfa) after(state int, r rune) (int, bool) {
	at, ok := slices.BinarySearchFunc(d.edges[state], r, func(e dfaEdge, r rune) int {
		switch {
		case e.set.hi < r:
			return -1
		case e.set.lo > r:
			return 1
		}
		return 0
	})
	if !ok {
		return 0, false
	}
	return d.edges[state][at].to, true
}

// accepts says whether a text is one of the automaton's.
func (d *dfa) accepts(s string) bool {
	state := 0
	for _, r := range s {
		next, ok := d.after(state, r)
		if !ok {
			return false
		}
		state = next
	}
	return d.final[state]
}

// and is the automaton of the texts that both take.
func (d *dfa) and(e *dfa) (*dfa, error) {
	return explore([2]int{}, func(s [2]int) bool { return d.final[s[0]] && e.final[s[1]] },
		func(s [2]int, add func(runeRange, [2]int)) {
			a, b := d.edges[s[0]], e.edges[s[1]]
			for len(a) > 0 && len(b) > 0 {
				if lo, hi := max(a[0].set.lo, b[0].set.lo), min(a[0].set.hi, b[0].set.hi); lo <= hi {
					add(runeRange{lo, hi}, [2]int{a[0].to, b[0].to})
				}
				if a[0].set.hi < b[0].set.hi {
					a = a[1:]
				} else {
					b = b[1:]
				}
			}
		})
}

// not is the automaton of the texts that d does not take.
func (d *dfa) not() *dfa {
	sink := len(d.edges)
	out := &dfa{}
	for i, edges := range d.edges {
		var all []dfaEdge
		from := rune(0)
		for _, e := range edges {
			if from < e.set.lo {
				all = append(all, dfaEdge{runeRange{from, e.set.lo - 1}, sink})
			}
			all = append(all, e)
			from = e.set.hi + 1
		}
		if from <= anyRune[0].hi {
			all = append(all, dfaEdge{runeRange{from, anyRune[0].hi}, sink})
		}
		out.edges = append(out.edges, all)
		out.final = append(out.final, !d.final[i])
	}
	out.edges = append(out.edges, []dfaEdge{{anyRune[0], sink}})
	out.final = append(out.final, true)
	return out
}

// empty says whether the automaton takes no text.
func (d *dfa) empty() bool {
	seen := make([]bool, len(d.edges))
	open := []int{0}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		if d.final[at] {
			return false
		}
		for _, e := range d.edges[at] {
			if !seen[e.to] {
				seen[e.to] = true
				open = append(open, e.to)
			}
		}
	}
	return true
}

// lengths is the automaton of texts of min to max characters.
func lengths(min, max int) (*dfa, error) {
	if min > mostDFA || max > mostDFA {
		return nil, ErrTooLarge
	}
	return explore(0, func(n int) bool { return n >= min },
		func(n int, add func(runeRange, int)) {
			switch {
			case max == unlimited && n >= min:
				add(anyRune[0], n)
			case max == unlimited || n < max:
				add(anyRune[0], n+1)
			}
		})
}

// words is the automaton of a list of texts.
func words(list []string) (*dfa, error) {
	total := 0
	for _, w := range list {
		if total += len(w); total > mostDFA {
			return nil, ErrTooLarge
		}
	}
	isWord := map[string]bool{}
	next := map[string]map[rune]bool{}
	for _, w := range list {
		isWord[w] = true
		for i, r := range w {
			if next[w[:i]] == nil {
				next[w[:i]] = map[rune]bool{}
			}
			next[w[:i]][r] = true
		}
	}
	return explore("", func(s string) bool { return isWord[s] },
		func(s string, add func(runeRange, string)) {
			for r := range next[s] {
				add(runeRange{r, r}, s+string(r))
			}
		})
}

// expr is the automaton as a piece of a grammar; write says how a range of characters is written.
func (d *dfa) expr(write func(runeRange) *expr) *expr {
	links := []link{{0, 2, seq()}}
	for i, edges := range d.edges {
		for _, e := range edges {
			links = append(links, link{i + 2, e.to + 2, write(e.set)})
		}
		if d.final[i] {
			links = append(links, link{i + 2, 1, seq()})
		}
	}
	return graph(links)
}

// plainly writes characters as they are.
func plainly(r runeRange) *expr { return runes(runeSet{r}) }

// inString writes characters as a JSON string has them.
func inString(r runeRange) *expr {
	in := runeSet{r}
	out := alt()
	if raw := in.and(escaped.not()); len(raw) > 0 {
		out.subs = append(out.subs, runes(raw))
	}
	for _, part := range in.and(escaped) {
		for c := part.lo; c <= part.hi; c++ {
			out.subs = append(out.subs, text(escape(c)))
		}
	}
	if len(out.subs) == 1 {
		return out.subs[0]
	}
	return out
}

// wrapped names the keyword that an error is about.
func wrapped(keyword string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", keyword, err)
}
