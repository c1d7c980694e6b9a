package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/plot"
)

// A finding is what an experiment comes to: an object for --json, or a table, and a picture for --plot.
type finding interface {
	text() string
	panels() []plot.Panel
}

func plotFlag() cli.Flag {
	return &cli.StringFlag{Name: "plot", Category: "Output", Usage: "also draw a picture, a PNG `FILE`"}
}

// checkPlot refuses a picture that could not be written at the end.
func checkPlot(c *cli.Context) error {
	if !c.IsSet("plot") {
		return nil
	}
	if c.String("plot") == "" {
		return usagef("--plot needs the name of a file")
	}
	return checkOutput(c.String("plot"))
}

// publish draws the picture, if one is asked for, and prints the rest.
func publish(c *cli.Context, f finding) error {
	if c.IsSet("plot") {
		err := writeFile(c.String("plot"), func(w io.Writer) error { return plot.Write(w, f.panels()...) })
		if err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c, f)
	}
	return printText(c, f.text())
}

// beside puts panels two abreast, where there are several.
func beside(panels []plot.Panel) []plot.Panel {
	if len(panels) < 2 {
		return panels
	}
	return []plot.Panel{plot.Grid(panels)}
}
