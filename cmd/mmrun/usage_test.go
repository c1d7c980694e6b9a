package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

func TestWrongUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		says string
	}{
		{"frobnicate", `unknown command "frobnicate"`},
		{"verfy", "did you mean verify?"},
		{"--frobnicate", "unknown flag --frobnicate"},
		{"generate --promt x", "did you mean --prompt?"},
		{"generate", "no prompt"},
		{"generate --prompt", "--prompt needs a value"},
		{"generate x y", `unexpected argument "y"`},
		{"generate x --prompt y", `unexpected argument "x"`},
		{"generate --prompt x --prompt-file y", "--prompt and --prompt-file cannot be used together"},
		{"generate x --max-tokens many", `--max-tokens: "many" is not a whole number`},
		{"generate x --max-tokens 1e3", `--max-tokens: "1e3" is not a whole number`},
		{"generate x --max-tokens -1", "--max-tokens: -1 is less than 0"},
		{"generate x --max-tokens 99999999999999999999", "--max-tokens: \"99999999999999999999\" is out of range"},
		{"generate x --temp warm", `--temp: "warm" is not a number`},
		{"generate x --temp NaN", "--temp: NaN is not a finite number"},
		{"generate x --temp -1", "temperature -1"},
		{"generate x --top-k -1", "--top-k: -1 is less than 0"},
		{"generate x --top-p 1.5", "top-p 1.5"},
		{"generate x --min-p -0.5", "min-p -0.5"},
		{"generate x --repeat-penalty -1", "repeat penalty -1"},
		{"generate x --seed -1", `--seed: "-1" is not a whole number from 0`},
		{"generate x --stop=", "--stop: the text is empty"},
		{"generate x --chunk 0", "--chunk: 0 is less than 1"},
		{"generate x --chunk 4097", "--chunk: 4097 is more than 4096"},
		{"generate x --quiet=perhaps", "--quiet takes no value"},
		{"generate x -q --quiet", "-q and --quiet are the same flag"},
		{"generate --batch x --prompt y", "--batch and --prompt cannot be used together"},
		{"generate --batch x --prompt-file y", "--batch and --prompt-file cannot be used together"},
		{"generate --batch x --state-load y", "--batch and --state-load cannot be used together"},
		{"generate --batch x --state-save y", "--batch and --state-save cannot be used together"},
		{"generate --batch x y", `unexpected argument "y"`},
		{"generate --batch x --decimate 1", "--decimate and --batch cannot be used together"},
		{"generate x --decimate 1 --state-load y", "--decimate and --state-load cannot be used together"},
		{"generate x --decimate one", `--decimate: "one" is not a whole number`},
		{"generate x --decimate 1 --decimate-beta 1.5", "--decimate-beta: 1.5 is not above 0, to 1"},
		{"generate x --decimate 1 --decimate-base 0", "--decimate-base: 0 is less than 1"},
		{"generate x --decimate 1 --decimate-keep 0", "--decimate-keep: 0 is less than 1"},
		{"generate x --decimate-keep 2", "--decimate-keep needs --decimate"},
		{"keys --keys 1", "--keys: 1 is less than 2"},
		{"droplayer --length 0", "--length: 0 is less than 1"},
		{"perplexity --file x --decimate 1", "--decimate needs --last"},
		{"perplexity --file x --last 0", "--last: 0 is less than 1"},
		{"perplexity --file x --last 2", "--last needs --context N"},
		{"perplexity --file x --last 9 --context 9", "--last: 9 is not less than a piece of 9 tokens"},
		{"perplexity --file x --last 9 --context 99 --decimate 1 --decimate-keep 8", "--last: 9 is more than the 8 tokens of --decimate-keep"},
		{"generate --batch=", "--batch needs the name of a file"},
		{"generate --batch x --batch-size 0", "--batch-size: 0 is less than 1"},
		{"generate --batch x --batch-size 65", "--batch-size: 65 is more than 64"},
		{"generate --batch x -n 0", "--max-tokens: 0 is less than 1"},
		{"generate x --batch-size 2", "--batch-size needs --batch"},
		{"bench --batch 1,65", `--batch: "65" is not a number of sequences from 1 to 64`},
		{"bench --batch 1,,2", `--batch: "" is not a number of sequences`},
		{"bench --batch 2 -n 0", "-n 0 leaves nothing to measure with --batch"},
		{"bench --clients 0", `--clients: "0" is not a number of clients from 1 to 4096`},
		{"bench --clients 2 -n 0", "-n 0 leaves nothing to measure with --clients"},
		{"bench --clients 2 --places 65", "--places: 65 is more than 64"},
		{"bench --clients 2 --max-wait 0s", "--max-wait: 0s is not above 0, to 24h0m0s"},
		{"generate x --model=", "--model needs the name of a directory"},
		{"generate x --state-load=", "--state-load needs the name of a file"},
		{"generate x --json-schema a --grammar b", "--json-schema and --grammar cannot be used together"},
		{"generate x --grammar=", "--grammar needs the name of a file"},
		{"devices 1", `unexpected argument "1"`},
		{"tokenize x --model a --tokenizer b", "--model and --tokenizer cannot be used together"},
		{"logits --tokens 1", "logits needs --out"},
		{"logits --out x", "no tokens"},
		{"logits --out x --tokens 1 --tokens-file y", "--tokens and --tokens-file cannot be used together"},
		{"verify", "verify needs --golden"},
		{"verify --golden x --atol -1", "must not be negative"},
		{"verify --golden x --rtol NaN", "--rtol: NaN is not a finite number"},
		{"bench -n 0 -p 0", "leave nothing to measure"},
		{"bench -r 0", "--repetitions: 0 is less than 1"},
		{"bench -p 99999999999", "--n-prompt: 99999999999 is more than 16777216"},
		{"bench --context 9,5000000000", "--context: 5000000000 is more than 2147483648"},
		{"bench --context 1,x", `--context: "x" is not a whole number`},
		{"bench --context -1", "--context: -1 is less than 0"},
		{"bench --context 5,5", "--context: 5 is there twice"},
		{"convert --from x", "convert needs --to"},
		{"quantize --to q8_0", "quantize needs --out"},
		{"quantize --to q4_0 --out x", `--to: "q4_0" is not known (q4_k_m, q6_k, q8_0 are)`},
		{"generate x --quantize q4_0", `--quantize: "q4_0" is not known (q4_k, q6_k, q8_0 are)`},
		{"inspect --quantize=", `--quantize: "" is not known`},
	} {
		t.Run(test.args, func(t *testing.T) {
			wantError(t, execute(t, "", strings.Fields(test.args)...), exitUsage, test.says)
		})
	}
}

func TestEnvironment(t *testing.T) {
	cmd := command("devices")
	cmd.Env = append(cmd.Env, "MMRUN_VALIDATE=perhaps")
	wantError(t, finish(t, cmd, ""), exitUsage, `MMRUN_VALIDATE: "perhaps" is neither 0 nor 1`)
}

func TestPermute(t *testing.T) {
	commands := testApp(io.Discard).Commands
	for _, test := range []struct{ args, want string }{
		{"mmrun", "mmrun"},
		{"mmrun --version", "mmrun --version"},
		{"mmrun unknown a --b", "mmrun unknown a --b"},
		{"mmrun generate", "mmrun generate"},
		{"mmrun generate - --temp 0", "mmrun generate --temp 0 -- -"},
		{"mmrun generate --temp=0 a --json", "mmrun generate --temp=0 --json -- a"},
		{"mmrun generate a -n 5 b", "mmrun generate -n 5 -- a b"},
		{"mmrun generate -n", "mmrun generate -n"},
		{"mmrun generate --json -- --temp", "mmrun generate --json -- --temp"},
		{"mmrun generate --prompt --json", "mmrun generate --prompt --json"},
	} {
		got := permute(strings.Fields(test.args), commands)
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", test.args, got, want)
		}
	}
}

func testApp(stdout io.Writer) *cli.App {
	return newApp(strings.NewReader(""), stdout, io.Discard, nil)
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	app := testApp(&out)
	for _, cmd := range app.Commands {
		out.Reset()
		if err := testApp(&out).Run([]string{"mmrun", cmd.Name, "--help"}); err != nil {
			t.Fatal(err)
		}
		help := out.String()
		for _, flag := range cmd.Flags {
			for _, name := range flag.Names() {
				if flag != cli.HelpFlag && !strings.Contains(help, dashed(name)) {
					t.Errorf("help of %s does not tell of %s", cmd.Name, dashed(name))
				}
			}
		}
		if !strings.Contains(help, "\nExamples\n  mmrun "+cmd.Name) {
			t.Errorf("help of %s has no examples:\n%s", cmd.Name, help)
		}
		prose, _, _ := strings.Cut(help, "\nExamples\n")
		for line := range strings.Lines(prose) {
			if utf8.RuneCountInString(line) > helpWidth+1 {
				t.Errorf("help of %s has a line wider than %d: %s", cmd.Name, helpWidth, line)
			}
		}
	}
	out.Reset()
	if err := testApp(&out).Run([]string{"mmrun"}); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range app.Commands {
		if !strings.Contains(out.String(), "\n  "+cmd.Name+" ") {
			t.Errorf("mmrun --help does not list %s", cmd.Name)
		}
	}
}

// TestHelpOfNarrowTerminals: no line is wider than the terminal, except for examples and single words.
func TestHelpOfNarrowTerminals(t *testing.T) {
	for _, width := range []int{30, 52, 80} {
		for _, cmd := range testApp(io.Discard).Commands {
			h := &helpPage{width: width}
			h.command(cmd)
			prose, _, _ := strings.Cut(h.text.String(), "\nExamples\n")
			_, prose, _ = strings.Cut(prose, "\n") // the first line is the command's name with what it does
			for line := range strings.Lines(prose) {
				words := strings.Fields(line)
				flag := strings.HasPrefix(strings.TrimSpace(line), "-") || strings.HasPrefix(line, "  /") // a flag's names stand on one line, chat's commands with what they do
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && len(words) > 1 && !flag {
					t.Errorf("%s at %d columns: a line of %d: %s", cmd.Name, width, n, line)
				}
			}
		}
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one two  three\nfour incomprehensibilities", 9)
	want := []string{"one two", "three", "four", "incomprehensibilities"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPanicIsOneLine(t *testing.T) {
	t.Setenv("MMRUN_DEBUG", "")
	var out bytes.Buffer
	reportPanic(&out, "index\nout of range", []byte("stack"))
	want := "mmrun: internal error: index out of range; please report it with the command you ran and what MMRUN_DEBUG=1 adds\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
