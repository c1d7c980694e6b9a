package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// shells are those that mmrun writes completions for.
var shells = map[string]func([]*cli.Command) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Category:  groupProgram,
		Usage:     "print a shell's completions of commands and flags",
		UsageText: "mmrun completion bash|zsh|fish",
		Description: `Prints a script that has the shell complete commands, flags and the names of files. It knows all flags and does not run mmrun. The packages for Debian install it.

Examples:
mmrun completion bash > ~/.local/share/bash-completion/completions/mmrun
mmrun completion zsh > "${fpath[1]}/_mmrun"
mmrun completion fish > ~/.config/fish/completions/mmrun.fish`,
		Action: func(c *cli.Context) error {
			script, ok := shells[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion needs the name of one shell: bash, zsh or fish")
			}
			return printText(c, script(c.App.Commands))
		},
	}
}

// A completed flag is one as shells have to know it.
type completedFlag struct {
	names  []string // with dashes
	usage  string
	value  string   // its placeholder; empty for one that takes no value
	file   bool     // the value is the name of a file or folder
	values []string // that there are; nil where any will do
}

// completedFlags are those of a command, with --help.
func completedFlags(cmd *cli.Command) []completedFlag {
	flags := []completedFlag{{names: []string{"--help", "-h"}, usage: "show help"}}
	for _, flag := range cmd.Flags {
		doc, ok := flag.(cli.DocGenerationFlag)
		if !ok || flag == cli.HelpFlag {
			continue
		}
		placeholder, usage := placeholderOf(doc)
		f := completedFlag{usage: usage}
		for _, name := range doc.Names() {
			f.names = append(f.names, dashed(name))
		}
		if doc.TakesValue() {
			f.value = placeholder
			f.file = slices.Contains([]string{"FILE", "DIR", "OUT", "PATH", "[NAME=]PATH"}, placeholder)
			if f.names[0] == "--quantize" {
				f.values = strings.Split(targets(), ", ")
			}
		}
		flags = append(flags, f)
	}
	return flags
}

// bashCompletion is a function for bash, which completes file names by itself where the function has nothing to offer.
func bashCompletion(commands []*cli.Command) string {
	var names []string
	var flags, values strings.Builder
	for _, cmd := range commands {
		names = append(names, cmd.Name)
		var all []string
		for _, f := range completedFlags(cmd) {
			all = append(all, f.names...)
			if f.value == "" || f.file {
				continue
			}
			for _, name := range f.names {
				fmt.Fprintf(&values, "\t%s:%s) compopt +o default +o bashdefault; COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", cmd.Name, name, strings.Join(f.values, " "))
			}
		}
		fmt.Fprintf(&flags, "\t%s) flags='%s' ;;\n", cmd.Name, strings.Join(all, " "))
	}
	return `# bash completion for mmrun
_mmrun() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} flags=
	COMPREPLY=()
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W '` + strings.Join(names, " ") + ` --help --version' -- "$cur"))
		return
	fi
	case $command:$prev in
` + values.String() + `	completion:completion) compopt +o default; COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur")); return ;;
	esac
	case $command in
` + flags.String() + `	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$flags" -- "$cur"))
	fi
}
complete -o default -o bashdefault -F _mmrun mmrun
`
}

// zshCompletion is a file for zsh's folder of functions.
func zshCompletion(commands []*cli.Command) string {
	escape := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`)
	var names, cases strings.Builder
	for _, cmd := range commands {
		fmt.Fprintf(&names, "\t\t'%s:%s'\n", cmd.Name, escape.Replace(cmd.Usage))
		fmt.Fprintf(&cases, "\t%s)\n\t\t_arguments -s \\\n", cmd.Name)
		for _, f := range completedFlags(cmd) {
			value := ""
			switch {
			case f.values != nil:
				value = ":" + escape.Replace(f.value) + ":(" + strings.Join(f.values, " ") + ")"
			case f.file:
				value = ":" + escape.Replace(f.value) + ":_files"
			case f.value != "":
				value = ":" + escape.Replace(f.value) + ": "
			}
			for _, name := range f.names {
				fmt.Fprintf(&cases, "\t\t\t'%s[%s]%s' \\\n", name, escape.Replace(f.usage), value)
			}
		}
		rest := "*:file:_files"
		if cmd.Name == "completion" {
			rest = "1:shell:(bash zsh fish)"
		}
		fmt.Fprintf(&cases, "\t\t\t'%s'\n\t\t;;\n", rest)
	}
	return `#compdef mmrun

_mmrun() {
	local -a commands
	local context state line
	commands=(
` + names.String() + `	)
	_arguments -C '--help[show help]' '--version[print the version]' '1: :->command' '*:: :->arguments'
	case $state in
	command)
		_describe command commands
		return
		;;
	arguments) ;;
	*) return ;;
	esac
	case $line[1] in
` + cases.String() + `	esac
}

_mmrun "$@"
`
}

// fishCompletion is a file for fish's folder of completions.
func fishCompletion(commands []*cli.Command) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var b strings.Builder
	b.WriteString("# fish completion for mmrun\ncomplete -c mmrun -n __fish_use_subcommand -l help -s h -d 'show help'\ncomplete -c mmrun -n __fish_use_subcommand -l version -d 'print the version'\n")
	for _, cmd := range commands {
		fmt.Fprintf(&b, "complete -c mmrun -f -n __fish_use_subcommand -a %s -d '%s'\n", cmd.Name, escape.Replace(cmd.Usage))
		for _, f := range completedFlags(cmd) {
			fmt.Fprintf(&b, "complete -c mmrun -n '__fish_seen_subcommand_from %s'", cmd.Name)
			for _, name := range f.names {
				if bare, long := strings.CutPrefix(name, "--"); long {
					b.WriteString(" -l " + bare)
				} else {
					b.WriteString(" -s " + name[1:])
				}
			}
			switch {
			case f.values != nil:
				fmt.Fprintf(&b, " -x -a '%s'", strings.Join(f.values, " "))
			case f.file:
				b.WriteString(" -r -F")
			case f.value != "":
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d '%s'\n", escape.Replace(f.usage))
		}
	}
	b.WriteString("complete -c mmrun -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n")
	return b.String()
}
