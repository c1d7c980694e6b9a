package main

import (
	"strconv"
	"strings"
)

// visible is a text that comes out of a file, on one line: what would move the cursor, ring or change colours is escaped.
func visible(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if strings.IndexFunc(text, unseen) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unseen(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unseen says of what is no space and cannot be seen.
func unseen(r rune) bool { return r != ' ' && !strconv.IsGraphic(r) }
