package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dlclark/regexp2"
)

// compilePattern compiles a pattern in Oniguruma's syntax, which is that of Hugging Face's files. The
// engine's syntax is .NET's: where the two differ, the pattern is rewritten, and what has no
// counterpart is refused. The message has no line breaks.
func compilePattern(pattern string) (*regexp2.Regexp, error) {
	t := translator{in: []rune(pattern)}
	err := t.translate()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	re, err := regexp2.Compile(string(t.out), regexp2.Multiline) // in Oniguruma's syntax ^ and $ are a line's
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", `\n`))
	}
	re.MatchTimeout = matchTimeout
	return re, nil
}

// maxNesting bounds groups and sets inside one another.
const maxNesting = 200

// translator rewrites a pattern from left to right.
type translator struct {
	in   []rune
	at   int
	out  []byte
	atom int // where in out the last atom begins, -1 when there is nothing to repeat
	open []openGroup
}

// openGroup is a group that is not closed yet: where it begins in out, and how many parentheses the
// options in it opened, which reach to its end.
type openGroup struct{ from, extra int }

func (t *translator) translate() error {
	t.atom = -1
	t.open = []openGroup{{}}
	for t.at < len(t.in) {
		if err := t.next(); err != nil {
			return err
		}
	}
	if len(t.open) > 1 {
		return errors.New("a group is not closed")
	}
	t.closeOptions()
	return nil
}

// peek returns the rune i places on, or 0 beyond the end.
func (t *translator) peek(i int) rune {
	if t.at+i < len(t.in) {
		return t.in[t.at+i]
	}
	return 0
}

func (t *translator) next() error {
	switch c := t.in[t.at]; c {
	case '(':
		return t.group()
	case ')':
		return t.endGroup()
	case '[':
		return t.set()
	case '\\':
		return t.escape()
	case '*', '+', '?':
		t.at++
		return t.repeat(string(c), false)
	case '{':
		if quantifier, ok := t.interval(); ok {
			return t.repeat(quantifier, true)
		}
		t.literal(c)
	case '|', '^', '$':
		t.out = append(t.out, byte(c))
		t.atom = -1
		t.at++
	case '.':
		t.emit(".")
		t.at++
	default:
		t.literal(c)
	}
	return nil
}

// emit writes an atom.
func (t *translator) emit(s string) {
	t.atom = len(t.out)
	t.out = append(t.out, s...)
}

// literal takes one rune of the pattern as itself.
func (t *translator) literal(c rune) {
	t.emit(regexp2.Escape(string(c)))
	t.at++
}

// group begins a group.
func (t *translator) group() error {
	if len(t.open) > maxNesting {
		return fmt.Errorf("more than %d groups inside one another", maxNesting)
	}
	from := len(t.out)
	head := "("
	if t.peek(1) == '?' {
		rest := string(t.in[t.at:min(t.at+4, len(t.in))])
		for _, known := range [...]string{"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"} {
			if strings.HasPrefix(rest, known) {
				head = known
			}
		}
		if head == "(" {
			return t.special(from)
		}
	}
	t.at += len(head)
	t.begin(from, head)
	return nil
}

func (t *translator) begin(from int, head string) {
	t.out = append(t.out, head...)
	t.open = append(t.open, openGroup{from: from})
	t.atom = -1
}

// special begins a named group, a comment, or a group of options.
func (t *translator) special(from int) error {
	end := t.at
	for end < len(t.in) && !strings.ContainsRune(">:)", t.in[end]) {
		end++
	}
	if end == len(t.in) {
		return errors.New("a group is not closed")
	}
	head := string(t.in[t.at : end+1])
	name := head[2 : len(head)-1]
	switch {
	case strings.HasPrefix(name, "#"):
		for end < len(t.in) && t.in[end] != ')' {
			end++
		}
		t.at = min(end+1, len(t.in))
		return nil
	case strings.HasPrefix(name, "<") && strings.HasSuffix(head, ">"):
		t.at = end + 1
		t.begin(from, head)
		return nil
	case strings.Trim(name, "im-") != "" || name == "" || strings.HasSuffix(head, ">"):
		return fmt.Errorf("the group %q is not supported", head)
	}
	t.at = end + 1
	options := "(?" + strings.ReplaceAll(name, "m", "s") + ":" // Oniguruma's m lets . match a line break
	if strings.HasSuffix(head, ":") {
		t.begin(from, options)
		return nil
	}
	t.out = append(t.out, options...) // reaches to the end of the group, across |
	t.open[len(t.open)-1].extra++
	t.atom = -1
	return nil
}

func (t *translator) closeOptions() {
	for range t.open[len(t.open)-1].extra {
		t.out = append(t.out, ')')
	}
}

func (t *translator) endGroup() error {
	if len(t.open) == 1 {
		return errors.New("a ) without its (")
	}
	t.closeOptions()
	t.out = append(t.out, ')')
	t.atom = t.open[len(t.open)-1].from
	t.open = t.open[:len(t.open)-1]
	t.at++
	return nil
}

// maxRepeat is the highest number in an interval; Oniguruma's own limit.
const maxRepeat = 100_000

// interval reads {n}, {n,}, {,n} or {n,m} and returns it with its minimum; anything else is text.
func (t *translator) interval() (string, bool) {
	i := 1
	number := func() (n int, ok bool) {
		for ; '0' <= t.peek(i) && t.peek(i) <= '9' && n <= maxRepeat; i++ {
			n, ok = 10*n+int(t.peek(i)-'0'), true
		}
		return n, ok && n <= maxRepeat
	}
	low, okLow := number()
	high, okHigh := low, false
	comma := t.peek(i) == ','
	if comma {
		i++
		high, okHigh = number()
	}
	if t.peek(i) != '}' || !okLow && !okHigh {
		return "", false
	}
	t.at += i + 1
	switch {
	case comma && !okHigh:
		return fmt.Sprintf("{%d,}", low), true
	case okHigh && high < low:
		return fmt.Sprintf("{%d,%d}", high, low), true
	case comma:
		return fmt.Sprintf("{%d,%d}", low, high), true
	}
	return fmt.Sprintf("{%d}", low), true
}

// repeat writes a quantifier with what follows it. Only ?+, *+ and ++ are possessive; an interval
// followed by + is repeated as a whole, and {n}? may be left out.
func (t *translator) repeat(quantifier string, interval bool) error {
	if t.atom < 0 {
		return fmt.Errorf("%s has nothing to repeat", quantifier)
	}
	switch next := t.peek(0); {
	case next == '?' && !(interval && !strings.Contains(quantifier, ",")):
		quantifier += "?"
		t.at++
	case next == '+' && !interval:
		t.at++
		t.wrap("(?>", quantifier+")")
		return nil
	}
	t.wrap("(?:", quantifier+")")
	return nil
}

// wrap puts the last atom between two strings; the whole is an atom again.
func (t *translator) wrap(before, after string) {
	inner := string(t.out[t.atom:])
	t.out = append(t.out[:t.atom], before+inner+after...)
}

// escape reads what begins with a backslash outside a set.
func (t *translator) escape() error {
	c := t.peek(1)
	switch {
	case t.at+1 == len(t.in):
		return errors.New("a backslash at the end")
	case strings.ContainsRune("AzZbBG", c):
		t.out = append(t.out, '\\', byte(c))
		t.at += 2
		t.atom = -1
		return nil
	case c == 'R':
		t.emit(`(?>\r\n|[\n\x0B\f\r\u0085\u2028\u2029])`)
		t.at += 2
		return nil
	case c == 'N':
		t.emit(`[^\n]`)
		t.at += 2
		return nil
	case c == 'O':
		t.emit(`(?s:.)`)
		t.at += 2
		return nil
	case '1' <= c && c <= '9':
		return t.reference()
	case c == 'w' || c == 'W': // outside a set these few are members too
		negate := map[rune]string{'w': "", 'W': "^"}[c]
		t.emit("[" + negate + escapeClasses()['w'].members.text() + `\u00b2\u00b3\u00b9\u00bc-\u00be]`)
		t.at += 2
		return nil
	case strings.ContainsRune("XKyYkgCM", c):
		return fmt.Errorf(`\%c is not supported`, c)
	}
	item, err := t.escaped()
	if err != nil {
		return err
	}
	if item.class == nil {
		t.emit(regexp2.Escape(string(item.from)))
	} else {
		t.emit("[" + item.text() + "]")
	}
	return nil
}

func (t *translator) reference() error {
	end := t.at + 1
	for end < len(t.in) && '0' <= t.in[end] && t.in[end] <= '9' {
		end++
	}
	t.emit("(?:" + string(t.in[t.at:end]) + ")")
	t.at = end
	return nil
}

// hex reads digits, at least one and at most most.
func (t *translator) hex(most int) (rune, error) {
	end := t.at
	for end < len(t.in) && end < t.at+most && strings.ContainsRune("0123456789abcdefABCDEF", t.in[end]) {
		end++
	}
	n, err := strconv.ParseUint(string(t.in[t.at:end]), 16, 32)
	if err != nil || n > 0x10FFFF {
		return 0, errors.New("a code that is no character")
	}
	t.at = end
	return rune(n), nil
}
