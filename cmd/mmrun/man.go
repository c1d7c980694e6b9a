package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Category:  groupProgram,
		Usage:     "print the manual page",
		UsageText: "mmrun man",
		Description: `Prints the help of all commands as one page for man, in roff. The packages for Debian install it.

Examples:
mmrun man | man -l -
mmrun man | gzip -9n > mmrun.1.gz`,
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return printText(c, manPage(c.App))
		},
	}
}

// roff escapes text: backslashes, minus signs, and what would be a request at the beginning of a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// manPage is the manual of all commands.
func manPage(app *cli.App) string {
	var b strings.Builder
	r := built()
	fmt.Fprintf(&b, ".TH MMRUN 1 \"%s\" \"mmrun %s\" \"User Commands\"\n", roff(r.Date), roff(r.Version))
	fmt.Fprintf(&b, ".SH NAME\nmmrun \\- %s\n", roff(app.Usage))
	b.WriteString(".SH SYNOPSIS\n.B mmrun\n.I COMMAND\n[\\fIFLAGS\\fR]\n")
	b.WriteString(".SH DESCRIPTION\n" + roff(`mmrun runs language models of the Mamba family on the GPU through Vulkan, from Hugging Face folders and GGUF files. Without --model a small model runs that is part of the program.`) + "\n")
	for _, group := range groups {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(roff(group)))
		for _, cmd := range app.Commands {
			if cmd.Category == group {
				manCommandPage(&b, cmd)
			}
		}
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, row := range [][2]string{
		{"0", "The command did what was asked."}, {"1", "It failed; one line on standard error says why."},
		{"2", "It was called wrongly."}, {"128+N", "Signal N ended it."},
	} {
		manRow(&b, row[0], row[1])
	}
	b.WriteString(".SH ENVIRONMENT\n")
	for _, row := range [][2]string{
		{"MMRUN_DEVICE, MMRUN_DISABLE, MMRUN_VALIDATE", "Stand for --device, --disable and --validate."},
		{"MMRUN_DEBUG", "With 1 an internal error prints where it happened."},
		{"HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE", "Mean for pull and --model what they mean for Hugging Face's own programs."},
		{"NO_COLOR, TERM", "Output has no colours where NO_COLOR is set or TERM is dumb."},
	} {
		manRow(&b, row[0], row[1])
	}
	return b.String()
}

// manRow is a term with its explanation.
func manRow(b *strings.Builder, term, text string) {
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(term), roff(text))
}

// manCommandPage is the part of one command.
func manCommandPage(b *strings.Builder, cmd *cli.Command) {
	fmt.Fprintf(b, ".SS %s \\(em %s\n", roff(cmd.Name), roff(cmd.Usage))
	for _, line := range strings.Split(cmd.UsageText, "\n") {
		fmt.Fprintf(b, ".nf\n\\fB%s\\fR\n.fi\n", roff(line))
	}
	prose, examples, _ := strings.Cut(cmd.Description, examplesMark)
	for _, paragraph := range strings.Split(prose, "\n\n") {
		text, list, ok := strings.Cut(paragraph, "\n  ")
		if text != "" {
			fmt.Fprintf(b, ".P\n%s\n", roff(text))
		}
		if ok {
			fmt.Fprintf(b, ".nf\n  %s\n.fi\n", roff(list))
		}
	}
	for _, flag := range cmd.Flags {
		if doc, ok := flag.(cli.DocGenerationFlag); ok && flag != cli.HelpFlag {
			row := flagRow(doc)
			manRow(b, row[0], row[1])
		}
	}
	if examples = strings.Trim(examples, "\n"); examples != "" {
		fmt.Fprintf(b, ".P\nExamples:\n.P\n.RS\n.nf\n%s\n.fi\n.RE\n", roff(examples))
	}
}
