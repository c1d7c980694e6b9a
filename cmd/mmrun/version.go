package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// A release is built with these set by the linker: -X main.release=1.2.3 and so on. They are empty otherwise.
var (
	release string // the version's number
	commit  string // that it was built from
	date    string // of that commit, as 2006-01-02
)

// versionReport is what the program knows of its own making, as --json prints it.
type versionReport struct {
	Version  string `json:"version"` // "dev" unless it is a release
	Commit   string `json:"commit"`  // empty where nobody recorded it
	Date     string `json:"date"`    // of the commit
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// built is the report of this program. What the linker did not set, Go's own record of the build says.
func built() versionReport {
	r := versionReport{Version: release, Commit: commit, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		r.fill(info)
	}
	if r.Version == "" {
		r.Version = "dev"
	}
	return r
}

func (r *versionReport) fill(info *debug.BuildInfo) {
	if v := info.Main.Version; r.Version == "" && v != "(devel)" {
		r.Version = strings.TrimPrefix(v, "v")
	}
	if r.Commit != "" {
		return // the rest is of that build, too
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			r.Commit = s.Value
		case "vcs.time":
			r.Date, _, _ = strings.Cut(s.Value, "T")
		case "vcs.modified":
			r.Modified = s.Value == "true"
		}
	}
}

// text is one line.
func (r versionReport) text() string {
	of := "commit unknown"
	if r.Commit != "" {
		of = "commit " + r.Commit[:min(12, len(r.Commit))]
		if r.Modified {
			of += " and changes"
		}
		if r.Date != "" {
			of += " of " + r.Date
		}
	}
	return fmt.Sprintf("%s (%s) %s %s", r.Version, of, r.Go, r.Platform)
}

// version is the line that --version prints behind the program's name.
func version() string { return built().text() }

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Category:  groupProgram,
		Usage:     "print the program's version, commit and date",
		UsageText: "mmrun version [--json]",
		Description: `Prints one line: the version, the commit that it was built from with that commit's date, the version of Go, and the platform. With --json the output is one object: version, commit, date, modified (whether files differed from the commit), go and platform.

Examples:
mmrun version
mmrun version --json | jq -r .commit`,
		Flags: []cli.Flag{jsonFlag("print one JSON object")},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, built())
			}
			return printText(c, "mmrun "+version()+"\n")
		},
	}
}
