// Command load asks a server as many clients at once do, and compares every answer with the one that the model gives
// alone. It starts mmrun serve by itself, or asks any server of OpenAI's API at a URL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

// options are what the flags say.
type options struct {
	mmrun   string // the program
	model   string // folder or file
	url     string // of a server that runs; empty to start one
	serve   []string
	clients []int
	time    time.Duration // for each number of clients; 0 asks as nobody does
	places  int
	prompt  int // tokens of the longest prompt
	tokens  int // of an answer
	plain   bool
	check   int // answers to compare; negative is all
	turns   int // of the conversation; 0 has none
	turn    int // tokens that each adds
	seed    uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, warnings io.Writer) error {
	o, err := parse(args, warnings)
	if err != nil {
		return err
	}
	var wrong []error
	if o.time > 0 {
		wrong = append(wrong, crowd(ctx, o, out))
	}
	if o.turns > 0 && o.url == "" && ctx.Err() == nil {
		wrong = append(wrong, converse(ctx, o, out))
	}
	return errors.Join(wrong...)
}

func parse(args []string, warnings io.Writer) (*options, error) {
	o, clients, serve := &options{}, "", ""
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	f.SetOutput(warnings)
	f.StringVar(&o.mmrun, "mmrun", "bin/mmrun", "the program")
	f.StringVar(&o.model, "model", "models/novels-memmamba", "a model's folder or file")
	f.StringVar(&o.url, "url", "", "ask the server there, such as http://127.0.0.1:8080, instead of starting one; answers are compared if it is of --model and --check is not 0")
	f.StringVar(&serve, "serve", "", "further `flags` for mmrun serve")
	f.StringVar(&clients, "clients", "32", "`N,N,...` clients, one number after the other")
	f.DurationVar(&o.time, "for", 10*time.Minute, "how long each number of clients asks; 0 has only the conversation")
	f.IntVar(&o.places, "places", 8, "answers that the server makes at a time")
	f.IntVar(&o.prompt, "prompt", 4000, "tokens of the longest prompt; the shortest has one, and short ones are as frequent as long ones are long")
	f.IntVar(&o.tokens, "tokens", 64, "tokens of an answer")
	f.BoolVar(&o.plain, "plain", false, "no client goes away or is slow, none asks for log-probabilities, and all prompts are new")
	f.IntVar(&o.check, "check", -1, "compare `N` of the answers with those of the model alone; -1 compares all")
	f.IntVar(&o.turns, "turns", 20, "turns of the conversation; 0 has none")
	f.IntVar(&o.turn, "turn", 800, "tokens that each turn adds to the conversation")
	f.Uint64Var(&o.seed, "seed", 1, "of what is asked")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	for _, one := range strings.Split(clients, ",") {
		n, err := strconv.Atoi(one)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--clients: %q is no number of clients", one)
		}
		o.clients = append(o.clients, n)
	}
	o.serve, o.url = strings.Fields(serve), strings.TrimSuffix(o.url, "/")
	if o.prompt < 1 || o.tokens < 1 || o.places < 1 {
		return nil, fmt.Errorf("--prompt %d, --tokens %d and --places %d have to be 1 or more", o.prompt, o.tokens, o.places)
	}
	if o.turns > 0 && (o.turns < 3 || o.turn < 2*answerTokens) {
		return nil, fmt.Errorf("a conversation has 3 turns or more of %d tokens or more, not %d of %d", 2*answerTokens, o.turns, o.turn)
	}
	return o, nil
}
