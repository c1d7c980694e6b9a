package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// examplesMark divides a command's description into prose, shown first, and examples, shown last.
const examplesMark = "\nExamples:\n"

const helpWidth = 100

// printHelp replaces the templates of package cli: it knows commands by group and flags by
// category, in the order they were declared, and wraps to the terminal.
func printHelp(w io.Writer, data any) error {
	h := &helpPage{style: styleOf(w), width: min(terminalWidth(w, helpWidth), helpWidth)}
	switch v := data.(type) {
	case *cli.App:
		h.app(v)
	case *cli.Command:
		h.command(v)
	}
	_, err := io.WriteString(w, h.text.String())
	return err
}

type helpPage struct {
	text  strings.Builder
	style style
	width int
}

func (h *helpPage) app(app *cli.App) {
	fmt.Fprintf(&h.text, "%s: %s\n", h.style.bold(app.Name), app.Usage)
	h.heading("Usage")
	h.line("mmrun COMMAND [FLAGS]")
	for _, group := range groups {
		var rows [][2]string
		for _, cmd := range app.Commands {
			if cmd.Category == group {
				rows = append(rows, [2]string{cmd.Name, cmd.Usage})
			}
		}
		if rows != nil {
			h.heading(group)
			h.columns(rows, 12)
		}
	}
	h.heading("Examples")
	h.line(`mmrun generate --prompt "It was a dark night" --max-tokens 100`)
	h.line(`mmrun generate --model ~/models/mamba-130m --prompt-file chapter.txt --temp 0`)
	h.line(`git log -1 | mmrun generate - --model ~/models/mamba-130m --json | jq .text`)
	h.line(`mmrun verify --model exported --golden golden.safetensors`)
	fmt.Fprintf(&h.text, "\nWithout --model a small model that is part of the program is used.\n")
	fmt.Fprintf(&h.text, "'mmrun COMMAND --help' explains a command with its flags and gives examples.\n")
}

func (h *helpPage) command(cmd *cli.Command) {
	fmt.Fprintf(&h.text, "%s: %s\n", h.style.bold(cmd.HelpName), cmd.Usage)
	h.heading("Usage")
	for _, usage := range strings.Split(cmd.UsageText, "\n") {
		for i, line := range wrap(usage, h.width-4) {
			if i > 0 {
				line = "  " + line
			}
			h.line(line)
		}
	}
	prose, examples, _ := strings.Cut(cmd.Description, examplesMark)
	if prose != "" {
		h.text.WriteByte('\n')
	}
	for i, paragraph := range strings.Split(prose, "\n\n") {
		if i > 0 {
			h.text.WriteByte('\n')
		}
		h.paragraph(paragraph)
	}
	h.flags(cmd.Flags)
	if examples != "" {
		h.heading("Examples")
		for _, line := range strings.Split(strings.Trim(examples, "\n"), "\n") {
			h.line(line)
		}
	}
}

// paragraph wraps text. Lines that are set in, such as those of a list, stay as they are.
func (h *helpPage) paragraph(text string) {
	before, list, ok := strings.Cut(text, "\n  ")
	for _, line := range wrap(before, h.width) {
		h.text.WriteString(line + "\n")
	}
	if ok {
		h.text.WriteString("  " + strings.TrimRight(list, "\n") + "\n")
	}
}

func (h *helpPage) flags(flags []cli.Flag) {
	var order []string
	rows := map[string][][2]string{}
	for _, flag := range flags {
		doc, ok := flag.(cli.DocGenerationFlag)
		if !ok || flag == cli.HelpFlag {
			continue
		}
		category := "Flags"
		if c, ok := flag.(cli.CategorizableFlag); ok && c.GetCategory() != "" {
			category = c.GetCategory()
		}
		if rows[category] == nil {
			order = append(order, category)
		}
		rows[category] = append(rows[category], flagRow(doc))
	}
	for _, category := range order {
		h.heading(category)
		h.columns(rows[category], 26)
	}
}

// placeholderOf is the name of a flag's value, which its usage text has in backquotes, and the text without them.
func placeholderOf(flag cli.DocGenerationFlag) (name, usage string) {
	before, rest, ok := strings.Cut(flag.GetUsage(), "`")
	if !ok {
		return "VALUE", flag.GetUsage()
	}
	name, after, _ := strings.Cut(rest, "`")
	return name, before + name + after
}

// flagRow is a flag with its placeholder, and its text.
func flagRow(flag cli.DocGenerationFlag) [2]string {
	placeholder, usage := placeholderOf(flag)
	var names []string
	for _, name := range flag.Names() {
		names = append(names, dashed(name))
	}
	left := strings.Join(names, ", ")
	if flag.TakesValue() {
		left += " " + placeholder
		if d := flag.GetDefaultText(); d != "" && d != `""` {
			usage += " (default: " + strings.Trim(d, `"`) + ")"
		}
	}
	for _, env := range flag.GetEnvVars() {
		usage += " [" + env + "]"
	}
	return [2]string{left, usage}
}

func (h *helpPage) heading(text string) {
	fmt.Fprintf(&h.text, "\n%s\n", h.style.bold(text))
}

func (h *helpPage) line(text string) {
	h.text.WriteString(strings.TrimRight("  "+text, " ") + "\n")
}

// columns writes name and text side by side; a name too wide for its column has a line of its own, as all have where the
// terminal is too narrow for two columns.
func (h *helpPage) columns(rows [][2]string, wide int) {
	if h.width-wide-2 < 30 {
		wide = 4
	}
	for _, row := range rows {
		name := row[0]
		for i, line := range wrap(row[1], h.width-wide-2) {
			if i == 0 && utf8.RuneCountInString(name) >= wide {
				h.line(name)
				name = ""
			}
			h.line(fmt.Sprintf("%-*s%s", wide, name, line))
			name = ""
		}
	}
}

// wrap breaks text at white space into lines of at most width runes; a longer word stands alone.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
