package grammar

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern makes an automaton of a regular expression as JSON Schema has them (ECMA-262): it may match anywhere in a
// text unless it says ^ or $. What it cannot be made of (look around, back references, \b, flags) is an error.
func pattern(source string) (*dfa, error) {
	translated, err := translate(source)
	if err != nil {
		return nil, err
	}
	re, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", source, err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%q: %w", source, err)
	}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		switch {
		case in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0:
			return nil, fmt.Errorf("%q: borders of words and lines cannot be held to", source)
		case in.Op == syntax.InstRune || in.Op == syntax.InstRune1:
			if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
				return nil, fmt.Errorf("%q: flags cannot be held to", source)
			}
		}
	}
	d, err := (&determiner{prog: prog}).run()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", source, err)
	}
	return d, nil
}

// ecmaSpace is what \s means in ECMA-262, for the inside of a class.
const ecmaSpace = `\t\n\v\f\r \x{a0}\x{feff}\p{Zs}\x{2028}\x{2029}`

// translate writes in Go's notation what ECMA-262 writes or means otherwise.
func translate(source string) (string, error) {
	var out strings.Builder
	class := false
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case c == '\\' && i+1 < len(source):
			s, n, err := translateEscape(source[i:], class)
			if err != nil {
				return "", fmt.Errorf("%q: %w", source, err)
			}
			out.WriteString(s)
			i += n - 1
		case c == '.' && !class:
			out.WriteString(`[^\n\r\x{2028}\x{2029}]`)
		case c == '[' && class: // ECMA-262 has no classes of names
			out.WriteString(`\[`)
		case c == '[' && (strings.HasPrefix(source[i:], "[]") || strings.HasPrefix(source[i:], "[^]")):
			return "", fmt.Errorf("%q: an empty class", source)
		default:
			class = c == '[' || class && c != ']'
			out.WriteByte(c)
		}
	}
	return out.String(), nil
}

// translateEscape returns what an escape at the beginning of s is in Go's notation, and how long it is.
func translateEscape(s string, class bool) (out string, n int, err error) {
	switch c := s[1]; {
	case c == 's' && class:
		return ecmaSpace, 2, nil
	case c == 's':
		return "[" + ecmaSpace + "]", 2, nil
	case c == 'S' && class:
		return "", 0, fmt.Errorf(`\S in a class`)
	case c == 'S':
		return "[^" + ecmaSpace + "]", 2, nil
	case c == 'u' && strings.HasPrefix(s[2:], "{"):
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", 0, fmt.Errorf(`\u{ without an end`)
		}
		return `\x` + s[2:end+1], end + 1, nil
	case c == 'u' && len(s) >= 6:
		return `\x{` + s[2:6] + "}", 6, nil
	case c == 'c' && len(s) >= 3:
		return fmt.Sprintf(`\x{%x}`, s[2]&31), 3, nil
	case strings.IndexByte("QECzZAaGKR", c) >= 0:
		return "", 0, fmt.Errorf(`the escape \%c`, c)
	}
	return s[:2], 2, nil
}

// determiner makes an automaton of a program by subsets.
type determiner struct {
	prog *syntax.Prog
	work int
}

// subset is what a program may be at: the numbers of instructions that read a character, packed; a map's key.
type subset struct {
	reads   string
	matches bool // where the text ends here
	done    bool // whatever follows
}

func (d *determiner) run() (*dfa, error) {
	auto, err := explore(d.close([]uint32{uint32(d.prog.Start)}, true), func(s subset) bool { return s.matches },
		func(s subset, add func(runeRange, subset)) {
			if d.work > mostDFAWork {
				return
			}
			if s.done {
				add(anyRune[0], s)
				return
			}
			d.steps(s, add)
		})
	if d.work > mostDFAWork {
		return nil, ErrTooLarge
	}
	return auto, err
}

// close follows what reads nothing from instructions on.
func (d *determiner) close(from []uint32, begins bool) subset {
	seen := map[[2]uint32]bool{}
	var s subset
	var reads []uint32
	type thread struct {
		pc  uint32
		end bool // only where the text ends
	}
	var open []thread
	for _, pc := range from {
		open = append(open, thread{pc, false})
	}
	for len(open) > 0 {
		t := open[len(open)-1]
		open = open[:len(open)-1]
		key := [2]uint32{t.pc, 0}
		if t.end {
			key[1] = 1
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		d.work++
		in := &d.prog.Inst[t.pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			open = append(open, thread{in.Arg, t.end}, thread{in.Out, t.end})
		case syntax.InstCapture, syntax.InstNop:
			open = append(open, thread{in.Out, t.end})
		case syntax.InstEmptyWidth:
			op := syntax.EmptyOp(in.Arg)
			if op&syntax.EmptyBeginText == 0 || begins {
				open = append(open, thread{in.Out, t.end || op&syntax.EmptyEndText != 0})
			}
		case syntax.InstMatch:
			s.matches = true
			s.done = s.done || !t.end
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if !t.end {
				reads = append(reads, t.pc)
			}
		}
	}
	if s.done {
		return subset{matches: true, done: true}
	}
	slices.Sort(reads)
	var key []byte
	for _, pc := range reads {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	s.reads = string(key)
	return s
}

// steps tells add where a subset goes by which characters.
func (d *determiner) steps(s subset, add func(runeRange, subset)) {
	var sets []runeSet
	var outs []uint32
	borders := []rune{0}
	for i := 0; i < len(s.reads); i += 4 {
		in := &d.prog.Inst[binary.LittleEndian.Uint32([]byte(s.reads[i:]))]
		set := setOf(in)
		d.work += len(set)
		sets, outs = append(sets, set), append(outs, in.Out)
		for _, r := range set {
			borders = append(borders, r.lo, r.hi+1)
		}
	}
	slices.Sort(borders)
	borders = slices.Compact(borders)
	for i, lo := range borders {
		hi := rune(utf8.MaxRune)
		if i+1 < len(borders) {
			hi = borders[i+1] - 1
		}
		if lo > hi || d.work > mostDFAWork {
			continue
		}
		to := []uint32{uint32(d.prog.Start)} // a match may begin at every place
		for j, set := range sets {
			d.work++
			if set.has(lo) {
				to = append(to, outs[j])
			}
		}
		add(runeRange{lo, hi}, d.close(to, false))
	}
}

// setOf are the characters that an instruction reads.
func setOf(in *syntax.Inst) runeSet {
	switch {
	case in.Op == syntax.InstRuneAny:
		return anyRune
	case in.Op == syntax.InstRuneAnyNotNL:
		return of("\n").not()
	case len(in.Rune) == 1:
		return runeSet{{in.Rune[0], in.Rune[0]}}
	}
	var ranges []runeRange
	for i := 0; i+1 < len(in.Rune); i += 2 {
		ranges = append(ranges, runeRange{in.Rune[i], in.Rune[i+1]})
	}
	return newSet(ranges...)
}
