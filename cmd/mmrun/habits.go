package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// habits are flags of other programs and of earlier days, by the flag here that does what they do.
var habits = map[string][]string{
	"max-tokens":     {"max-new-tokens", "max-length", "num-predict", "predict", "tokens", "n-tokens", "steps", "length"},
	"prompt-file":    {"file", "prompt-path", "input", "input-file"},
	"prompt":         {"text", "query"},
	"model":          {"model-path", "model-dir", "model-name", "checkpoint", "repo", "hf-repo", "hf", "path"},
	"device":         {"gpu", "dev", "main-gpu", "mg", "backend"},
	"temp":           {"temperatur", "t"},
	"repeat-penalty": {"repetition-penalty", "rep-pen"},
	"seed":           {"random-seed", "rng-seed"},
	"quantize":       {"quantization", "quant", "dtype"},
	"state-save":     {"prompt-cache", "save-state", "slot-save-path"},
	"state-load":     {"load-state"},
	"chunk":          {"ubatch-size", "ub", "n-batch", "b"},
	"json":           {"output-json"},
	"tokens-file":    {"ids"},
	"against":        {"compare", "other"},
}

// needless are flags of other programs that there is no need for here.
var needless = map[string]string{
	"ctx-size":     "a state has one size, however long the text gets",
	"n-ctx":        "a state has one size, however long the text gets",
	"c":            "a state has one size, however long the text gets",
	"n-gpu-layers": "a model is on the device as a whole",
	"gpu-layers":   "a model is on the device as a whole",
	"ngl":          "a model is on the device as a whole",
	"threads":      "the device has its own",
	"n-threads":    "the device has its own",
	"mlock":        "weights go from the file to the device",
	"no-mmap":      "weights go from the file to the device",
}

// rightFlag says what to write in place of a flag that there is not, empty when nothing is near.
func rightFlag(typed string, flags []cli.Flag) string {
	typed = strings.ToLower(strings.ReplaceAll(typed, "_", "-"))
	for name, old := range habits {
		if slices.Contains(old, typed) && findFlag(flags, name) != nil {
			return fmt.Sprintf(" (it is --%s here)", name)
		}
	}
	if why, ok := needless[typed]; ok {
		return fmt.Sprintf(" (there is no need for it: %s)", why)
	}
	if findFlag(flags, typed) != nil {
		return fmt.Sprintf(" (did you mean %s?)", dashed(typed))
	}
	return didYouMean(typed, flagNames(flags))
}

// threadsFlag is -t, which programs have for threads and others for the temperature.
func threadsFlag() cli.Flag {
	return &cli.Float64Flag{Name: "t", Category: "Sampling", DefaultText: "--temp",
		Usage: "temperature `T`, when it is 0 or has a fraction; a whole number is one of threads, of which the device has its own"}
}

// temperature is that of --temp, or of -t where that cannot be a number of threads. set says whether one was given.
func temperature(c *cli.Context) (t float64, set bool, err error) {
	old := c.Float64("t")
	isThreads := old >= 1 && old == math.Trunc(old)
	switch {
	case !c.IsSet("t") || isThreads:
		return c.Float64("temp"), c.IsSet("temp"), nil
	case c.IsSet("temp"):
		return 0, true, usagef("--temp and -t are the same flag; give it once")
	}
	return old, true, nil
}

// noteThreads says of -t that it did nothing.
func noteThreads(c *cli.Context) {
	if t := c.Float64("t"); c.IsSet("t") && t >= 1 && t == math.Trunc(t) && !c.Bool("quiet") {
		fmt.Fprintf(c.App.ErrWriter, "mmrun: -t %g is taken for threads, of which the device has its own; the temperature is --temp\n", t)
	}
}

// isPiped says whether standard input is a pipe or a file, and no terminal.
func isPiped(c *cli.Context) bool {
	f, ok := c.App.Reader.(*os.File)
	if !ok {
		return c.App.Reader != nil
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice == 0
}

// readPiped reads standard input where no text is given and something is piped in. ok is false when nothing comes.
func readPiped(c *cli.Context) (in input, ok bool, err error) {
	if !isPiped(c) {
		return in, false, nil
	}
	in, err = readFile(c, stdinName)
	return in, err == nil && in.text != "", err
}

// pipedFile takes standard input for the file that a flag names where it is not given and something is piped in.
func pipedFile(c *cli.Context, flag string) error {
	if c.IsSet(flag) || !isPiped(c) {
		return nil
	}
	in := bufio.NewReader(c.App.Reader)
	if _, err := in.Peek(1); err != nil {
		return nil // nothing comes
	}
	c.App.Reader = in
	return c.Set(flag, stdinName)
}
