package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestNumbers gives every flag of every command that takes a number those that make no sense: each is wrong usage in a line
// that names the flag, before anything is opened.
func TestNumbers(t *testing.T) {
	wild := func(flag cli.Flag) []string {
		switch flag.(type) {
		case *cli.IntFlag:
			return []string{"9223372036854775807", "4611686018427387904", "-1", "-9223372036854775808", "9223372036854775808", "nan", ""}
		case *cli.Uint64Flag:
			return []string{"-1", "18446744073709551616", "0.5", "inf"}
		case *cli.Float64Flag:
			return []string{"nan", "inf", "-inf", "1e309", "x"}
		case *cli.DurationFlag:
			return []string{"-1s", "0s", "2562047h", "9999999999h", "1"}
		}
		return nil
	}
	numbers := 0
	for _, cmd := range testApp(nil).Commands {
		for _, flag := range cmd.Flags {
			for _, value := range wild(flag) {
				numbers++
				name := dashed(flag.Names()[0])
				err := testApp(nil).Run([]string{"mmrun", cmd.Name, name + "=" + value})
				if wrong := (*usageError)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), name+": ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s %s=%s: %v", cmd.Name, name, value, err)
				}
			}
			if f, ok := flag.(*cli.IntFlag); ok {
				_, own := bounds[cmd.Name+" "+f.Name]
				if _, all := bounds[f.Name]; !own && !all {
					t.Errorf("%s: --%s has no bounds", cmd.Name, f.Name)
				}
			}
		}
	}
	if numbers < 200 {
		t.Errorf("only %d numbers were tried", numbers)
	}
}

// TestLists: lists of whole numbers have bounds, too.
func TestLists(t *testing.T) {
	for _, args := range []string{
		"bench --context", "bench --batch", "bench --clients", "passkey --lengths", "keys --lengths", "docs --documents", "fidelity --file x --distances",
		"latency --against x --contexts", "perplexity --file x --context", "generate --prompt x --decimate",
	} {
		for _, value := range []string{"9223372036854775807", "99999999999999999999", "-1", "1,x", ","} {
			args := append(append([]string{"mmrun"}, strings.Fields(args)...), value)
			flag := args[len(args)-2]
			err := testApp(nil).Run(args)
			if wrong := (*usageError)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), flag+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v: %v", args, err)
			}
		}
	}
}

// TestBoundsOfUse: what a measurement keeps in memory for each of its runs is bounded, and tolerances are numbers.
func TestBoundsOfUse(t *testing.T) {
	for args, says := range map[string]string{
		"bench -r 9223372036854775807":                   "--repetitions: 9223372036854775807 is more than 100000",
		"fidelity --file x --tokens 4611686018427387904": "--tokens: 4611686018427387904 is more than 16777216",
		"verify --golden x --atol inf":                   "--atol: +Inf is not a finite number",
		"convert --from x --to y --note-threshold nan":   "--note-threshold: NaN is not a finite number",
	} {
		wantError(t, execute(t, "", strings.Fields(args)...), exitUsage, says)
	}
}
