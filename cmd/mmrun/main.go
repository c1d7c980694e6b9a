// Mmrun runs Mamba and MemMamba language models on any Vulkan device.
//
// Results go to standard output and nothing else does; progress, timings, warnings and errors go to
// standard error. The exit status is 0 when the command did what was asked, 1 when it failed, 2 when
// it was called wrongly, and 128 plus the signal's number when a signal ended it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status. It reports every error, a panic
// included, as one line on stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	defer func() {
		if p := recover(); p != nil {
			reportPanic(stderr, p, debug.Stack())
			status = exitFailure
		}
	}()
	sig := catchSignals()
	defer sig.release()

	app := newApp(stdin, stdout, stderr, sig)
	err := app.RunContext(sig.ctx, permute(args, app.Commands))
	if unwritten, _ := app.Metadata[unwrittenKey].(error); err == nil && unwritten != nil {
		err = fmt.Errorf("standard output: %w", unwritten)
	}
	return statusOf(sig.ctx, err, stderr)
}

// statusOf prints err, if it is news to the user, and returns the exit status it stands for.
func statusOf(ctx context.Context, err error, stderr io.Writer) int {
	var usage *usageError
	var by *interruptError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &by):
		return by.status()
	case errors.As(err, &usage):
		printError(stderr, err)
		return exitUsage
	default:
		printError(stderr, err)
		return exitFailure
	}
}

// printError writes one line, whatever the message holds.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "mmrun: %s\n", visible(strings.Join(strings.Fields(err.Error()), " ")))
}

// reportPanic says in one line that mmrun itself is at fault. The stack is for those who ask for it.
func reportPanic(w io.Writer, p any, stack []byte) {
	line := strings.Join(strings.Fields(fmt.Sprint(p)), " ")
	fmt.Fprintf(w, "mmrun: internal error: %s; please report it with the command you ran and what MMRUN_DEBUG=1 adds\n", line)
	if os.Getenv("MMRUN_DEBUG") == "1" {
		w.Write(stack)
	}
}
