package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// runeSet is a set of characters as ranges, both ends inclusive; in normal form they are in order
// and do not touch.
type runeSet [][2]rune

// normal returns the same set in normal form.
func (s runeSet) normal() runeSet {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b [2]rune) int { return cmp.Compare(a[0], b[0]) })
	var out runeSet
	for _, r := range s {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
			continue
		}
		out = append(out, r)
	}
	return out
}

// complement returns all other characters. The set is in normal form, as the result is.
func (s runeSet) complement() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if next < r[0] {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, [2]rune{next, unicode.MaxRune})
	}
	return out
}

// intersect returns the common part of two sets in normal form.
func (s runeSet) intersect(other runeSet) runeSet {
	return append(s.complement(), other.complement()...).normal().complement()
}

// text writes the set as the engine reads it inside brackets.
func (s runeSet) text() string {
	var out strings.Builder
	for _, r := range s {
		writeSetRune(&out, r[0])
		if r[0] != r[1] {
			out.WriteByte('-')
			writeSetRune(&out, r[1])
		}
	}
	return out.String()
}

func writeSetRune(out *strings.Builder, r rune) {
	switch {
	case 0xD800 <= r && r < 0xE000: // no character; its place in a range is what counts
		if r == 0xD800 {
			out.WriteRune(0xD7FF)
		} else {
			out.WriteRune(0xE000)
		}
	case r > 0xFFFF:
		out.WriteRune(r)
	default:
		fmt.Fprintf(out, `\u%04x`, r)
	}
}

// tables joins Unicode's tables to a set.
func tables(all ...*unicode.RangeTable) runeSet {
	var out runeSet
	for _, t := range all {
		for _, r := range t.R16 {
			out = out.appendRange(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			out = out.appendRange(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return out.normal()
}

func (s runeSet) appendRange(low, high, stride rune) runeSet {
	if stride == 1 {
		return append(s, [2]rune{low, high})
	}
	for c := low; c <= high; c += stride {
		s = append(s, [2]rune{c, c})
	}
	return s
}

func ascii(ranges ...string) runeSet {
	var out runeSet
	for _, r := range ranges {
		out = append(out, [2]rune{rune(r[0]), rune(r[1])})
	}
	return out.normal()
}

// posixClasses are the classes by their names in brackets; \p knows them too, punct with other members.
var posixClasses = sync.OnceValue(func() map[string]*charClass {
	alphabetic := tables(unicode.L, unicode.Nl, unicode.Other_Alphabetic)
	word := append(tables(unicode.M, unicode.Nd, unicode.Pc), alphabetic...).normal()
	blank := append(tables(unicode.Zs), [2]rune{'\t', '\t'}).normal()
	graph := tables(unicode.White_Space, unicode.Cc, unicode.Cs, unicode.Categories["Cn"]).complement()
	sets := map[string]runeSet{
		"alpha":  alphabetic,
		"alnum":  append(tables(unicode.Nd), alphabetic...).normal(),
		"word":   word,
		"blank":  blank,
		"cntrl":  tables(unicode.Cc),
		"digit":  tables(unicode.Nd),
		"graph":  graph,
		"lower":  tables(unicode.Ll, unicode.Other_Lowercase),
		"upper":  tables(unicode.Lu, unicode.Other_Uppercase),
		"print":  append(graph, tables(unicode.Zs)...).normal(),
		"punct":  append(tables(unicode.P), ascii("$$", "++", "<>", "^^", "``", "||", "~~")...).normal(),
		"space":  tables(unicode.White_Space),
		"xdigit": ascii("09", "af", "AF"),
		"ascii":  {{0, 0x7F}},
		"any":    {{0, unicode.MaxRune}},
	}
	out := map[string]*charClass{}
	for name, set := range sets {
		out[name] = &charClass{members: set}
	}
	out["digit"].word, out["space"].word = `\d`, `\s`
	return out
})

// escapeClasses are the classes by the letter of their escape.
var escapeClasses = sync.OnceValue(func() map[rune]*charClass {
	posix := posixClasses()
	return map[rune]*charClass{'d': posix["digit"], 's': posix["space"], 'w': posix["word"], 'h': posix["xdigit"]}
})

// namedClasses are the classes by their names without case, spaces, - and _.
var namedClasses = sync.OnceValue(func() map[string]*charClass {
	out := map[string]*charClass{}
	for _, list := range []map[string]*unicode.RangeTable{unicode.Properties, unicode.Scripts, unicode.Categories} {
		for name, table := range list {
			out[plainName(name)] = &charClass{members: tables(table)}
		}
	}
	for name := range unicode.Categories {
		if len(name) <= 2 {
			out[plainName(name)].word = `\p{` + name + `}`
		}
	}
	for alias, name := range unicode.CategoryAliases {
		out[plainName(alias)] = out[plainName(name)]
	}
	for name, class := range posixClasses() {
		out[name] = class
	}
	out["alphabetic"] = out["alpha"]
	out["punct"] = out["p"] // without the symbols that [[:punct:]] has
	return out
})

func classByName(name string) *charClass { return namedClasses()[plainName(name)] }

func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(name))
}
