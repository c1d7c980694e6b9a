package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mmrun/mmrun/memmamba"
)

// text is the report for a terminal.
func (r *notesReport) text() string {
	var b strings.Builder
	s := r.settings
	fmt.Fprintf(&b, "%s read %s in %s of %d; a pool holds %s (%s)\n", r.Model, counted(r.Tokens, "token"), counted(r.Windows, "window"), r.Window, counted(s.PoolSize, "note")+growth(s), s.Replacement)
	for n, layer := range r.Layers {
		kept := layer.kept()
		fmt.Fprintf(&b, "\nlayer %d: %s, %d written; ", n, counted(len(kept), "note"), layer.Written)
		b.WriteString("read in " + inWindows(layer.Reads))
		if layer.Before != nil {
			b.WriteString("; layers before it read in " + inWindows(layer.Before))
		}
		b.WriteByte('\n')
		if len(kept) == 0 {
			continue
		}
		t := newTable(">position", ">importance", "token", "in the text")
		t.indent = "  "
		for _, note := range kept {
			t.add(fmt.Sprint(note.Position), fmt.Sprintf("%.4f", note.Importance), strconv.Quote(note.Text), r.context(note.Position))
		}
		b.WriteString(t.String())
	}
	return b.String()
}

// growth says how pools grow, if they do.
func growth(s memmamba.MemoryConfig) string {
	if s.PoolGrowth == 0 || s.PoolMax == s.PoolSize {
		return ""
	}
	return fmt.Sprintf(", %d more whenever the windows have doubled, up to %d", s.PoolGrowth, s.PoolMax)
}

// inWindows names windows.
func inWindows(numbers []int) string {
	if len(numbers) == 0 {
		return "no window"
	}
	return "windows " + ranges(numbers)
}

// contextBytes is about how much text is shown on either side of a token.
const contextBytes = 24

// context is the text around a token, in one line, with the token in brackets.
func (r *notesReport) context(position int64) string {
	before, after := "", ""
	for i := position - 1; i >= 0 && len(before) < contextBytes; i-- {
		before = r.pieces[i] + before
	}
	for i := position + 1; i < int64(r.Tokens) && len(after) < contextBytes; i++ {
		after += r.pieces[i]
	}
	return oneLine(before) + "[" + oneLine(r.pieces[position]) + "]" + oneLine(after)
}

// oneLine shows line ends and other controls as a space.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// ranges writes rising numbers shortly: 1-4, 7, 9-12.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		if j > i {
			part += "-" + strconv.Itoa(numbers[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
