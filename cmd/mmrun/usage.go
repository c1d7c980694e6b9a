package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// usageError is a command line that makes no sense; the exit status is 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// permute moves flags in front of the arguments of a command, so that
// `mmrun generate - --temp 0` means what it says: package flag stops at the first argument.
func permute(args []string, commands []*cli.Command) []string {
	at := 1
	for at < len(args) && strings.HasPrefix(args[at], "-") {
		at++
	}
	cmd := findCommand(commands, args, at)
	if cmd == nil {
		return args
	}
	out, rest := args[:at+1:at+1], []string(nil)
	for i := at + 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case len(arg) < 2 || arg[0] != '-':
			rest = append(rest, arg)
		default:
			out = append(out, arg)
			if takesNext(cmd, arg) && i+1 < len(args) {
				i++
				out = append(out, args[i])
			}
		}
	}
	if rest != nil {
		out = append(append(out, "--"), rest...)
	}
	return out
}

func findCommand(commands []*cli.Command, args []string, at int) *cli.Command {
	for _, cmd := range commands {
		if at < len(args) && cmd.HasName(args[at]) {
			return cmd
		}
	}
	return nil
}

// takesNext tells whether the value of the flag in arg is the argument after it.
func takesNext(cmd *cli.Command, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	flag, ok := findFlag(cmd.Flags, strings.TrimLeft(arg, "-")).(cli.DocGenerationFlag)
	return ok && flag.TakesValue()
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, flag := range flags {
		for _, n := range flag.Names() {
			if n == name {
				return flag
			}
		}
	}
	return nil
}

var (
	unknownFlag  = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	missingValue = regexp.MustCompile(`^flag needs an argument: -+(.*)$`)
	badValue     = regexp.MustCompile(`^invalid value (".*") for flag -+([^:]*): (.*)$`)
	badEnv       = regexp.MustCompile(`^could not parse (".*") as bool value from environment variable "([^"]*)".*$`)
	twoForms     = regexp.MustCompile(`^Cannot use two forms of the same flag: (\S+) (\S+)$`)
	badBoolean   = regexp.MustCompile(`^invalid boolean value (".*") for -+([^:]*): .*$`)
)

// explainUsage puts what package flag says about a command line into the user's words.
func explainUsage(flags []cli.Flag, help string, err error) error {
	text := err.Error()
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		return usagef("unknown flag %s%s; see %s --help", dashed(m[1]), rightFlag(m[1], flags), help)
	}
	if m := missingValue.FindStringSubmatch(text); m != nil {
		return usagef("%s needs a value", dashed(m[1]))
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		if strings.Contains(m[3], "out of range") {
			return usagef("%s: %s is out of range", dashed(m[2]), m[1])
		}
		return usagef("%s: %s is not %s", dashed(m[2]), m[1], kindOf(findFlag(flags, m[2])))
	}
	if m := badEnv.FindStringSubmatch(text); m != nil {
		return usagef("environment variable %s: %s is neither 0 nor 1", m[2], m[1])
	}
	if m := twoForms.FindStringSubmatch(text); m != nil {
		return usagef("%s and %s are the same flag; give it once", dashed(m[1]), dashed(m[2]))
	}
	if m := badBoolean.FindStringSubmatch(text); m != nil {
		return usagef("%s takes no value, not %s", dashed(m[2]), m[1])
	}
	return usagef("%s", text)
}

func kindOf(flag cli.Flag) string {
	switch flag.(type) {
	case *cli.IntFlag:
		return "a whole number"
	case *cli.Uint64Flag:
		return "a whole number from 0 to 18446744073709551615"
	case *cli.DurationFlag:
		return "a time such as 50ms or 2m"
	case *cli.Float64Flag:
		return "a number"
	}
	return "a value it takes"
}

// dashed is a flag as the user writes it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func flagNames(flags []cli.Flag) []string {
	names := []string{"help"}
	for _, flag := range flags {
		names = append(names, flag.Names()...)
	}
	for i, name := range names {
		names[i] = dashed(name)
	}
	return names
}

// didYouMean is empty unless one of the names is near what was typed.
func didYouMean(typed string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		bare := strings.TrimLeft(name, "-")
		if d := editDistance(typed, bare); d < least && d < len(bare) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// editDistance counts the bytes to insert, delete or replace to get from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// noArguments refuses what is left after the flags.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("unexpected argument %q; see %s --help", c.Args().First(), c.Command.HelpName)
	}
	return nil
}

// exclusive refuses two flags that contradict each other.
func exclusive(c *cli.Context, names ...string) error {
	first := ""
	for _, name := range names {
		switch {
		case !c.IsSet(name):
		case first != "":
			return usagef("--%s and --%s cannot be used together", first, name)
		default:
			first = name
		}
	}
	return nil
}

// required refuses a flag that is missing or empty.
func required(c *cli.Context, names ...string) error {
	for _, name := range names {
		if c.String(name) == "" {
			return usagef("%s needs --%s; see %s --help", c.Command.Name, name, c.Command.HelpName)
		}
	}
	return nil
}
