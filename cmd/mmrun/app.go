package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// Headings of the list of commands, in the order of the list.
const (
	groupRun    = "Run a model"
	groupCheck  = "Check a model and the machine"
	groupMemory = "MemMamba"

	groupExperiments = "Measure what a model can do"
	groupProgram     = "About the program"
)

// groups are the headings in the order of the list.
var groups = []string{groupRun, groupCheck, groupMemory, groupExperiments, groupProgram}

// unwrittenKey is where the app keeps why a help page or the version could not be written, nil if it was.
const unwrittenKey = "unwritten"

// signalsKey is where the app keeps its *signals.
const signalsKey = "signals"

func newApp(stdin io.Reader, stdout, stderr io.Writer, sig *signals) *cli.App {
	var app *cli.App
	cli.HelpPrinter = func(w io.Writer, _ string, data any) { app.Metadata[unwrittenKey] = printHelp(w, data) }
	cli.VersionPrinter = func(c *cli.Context) {
		_, app.Metadata[unwrittenKey] = fmt.Fprintln(c.App.Writer, "mmrun", c.App.Version)
	}
	app = &cli.App{
		Name:      "mmrun",
		HelpName:  "mmrun",
		Usage:     "run Mamba and MemMamba language models on any Vulkan device",
		Version:   version(),
		Reader:    stdin,
		Writer:    stdout,
		ErrWriter: stderr,
		Metadata:  map[string]any{signalsKey: sig},
		Commands: []*cli.Command{
			generateCommand(), chatCommand(), pullCommand(), listCommand(), serveCommand(), stateCommand(), tokenizeCommand(), renderCommand(), benchCommand(), quantizeCommand(),
			verifyCommand(), logitsCommand(), inspectCommand(), devicesCommand(), selftestCommand(),
			demoCommand(), notesCommand(), convertCommand(),
			perplexityCommand(), passkeyCommand(), keysCommand(), docsCommand(), dropLayerCommand(), fidelityCommand(), latencyCommand(), plotCommand(),
			versionCommand(), completionCommand(), manCommand(),
		},
		Action:                    rootAction,
		After:                     closeSources,
		ExitErrHandler:            func(*cli.Context, error) {}, // run decides what is printed and the status
		DisableSliceFlagSeparator: true,                         // --stop "a, b" is one string
		HideHelpCommand:           true,
	}
	app.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
		return explainUsage(app.Flags, app.HelpName, err)
	}
	for _, cmd := range app.Commands {
		bound(cmd)
		cmd.HideHelpCommand = true // otherwise `mmrun generate help` is not a prompt
		cmd.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
			return explainUsage(cmd.Flags, cmd.HelpName, err)
		}
	}
	return app
}

// rootAction runs when the first argument is no command: it is nothing, "help", or a mistake.
func rootAction(c *cli.Context) error {
	name := c.Args().First()
	if name == "help" {
		name = c.Args().Get(1)
	}
	if name == "" {
		return cli.ShowAppHelp(c)
	}
	names := []string{"help"}
	for _, cmd := range c.App.Commands {
		if cmd.HasName(name) {
			return cli.ShowCommandHelp(c, name)
		}
		names = append(names, cmd.Name)
	}
	return usagef("unknown command %q%s; see mmrun --help", name, didYouMean(name, names))
}

// signalsOf is the signal handling of the running command.
func signalsOf(c *cli.Context) *signals {
	return c.App.Metadata[signalsKey].(*signals)
}
