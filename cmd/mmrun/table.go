package main

import (
	"strings"
	"unicode/utf8"
)

// table lays text out in columns. A column is right-aligned when its heading starts with '>'.
type table struct {
	right  []bool
	rows   [][]string
	indent string
}

func newTable(headings ...string) *table {
	t := &table{right: make([]bool, len(headings))}
	row := make([]string, len(headings))
	for i, heading := range headings {
		row[i], t.right[i] = strings.CutPrefix(heading, ">")
	}
	t.rows = append(t.rows, row)
	return t
}

func (t *table) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = visible(cell)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) String() string {
	wide := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		line := t.indent
		for i, cell := range row {
			pad := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line += "  "
			}
			if t.right[i] {
				line += pad + cell
			} else {
				line += cell + pad
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
