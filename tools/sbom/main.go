// Sbom writes a software bill of materials of a Go program: CycloneDX 1.5 in JSON, from what the linker recorded in the
// program itself. The same program and time give the same bytes.
//
//	go run ./tools/sbom --name mmrun --version 1.2.3 --time 1700000000 bin/mmrun > mmrun.cdx.json
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// A bom is the part of CycloneDX 1.5 that is written.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	name, version := flags.String("name", "", "the program's name"), flags.String("version", "", "its version")
	seconds := flags.Int64("time", 0, "when it was built, in `seconds` since 1970")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *name == "" || *version == "" {
		return errors.New("usage: sbom --name NAME --version VERSION [--time SECONDS] PROGRAM")
	}
	info, err := buildinfo.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(billOf(info, *name, *version, *seconds))
}

// billOf lists the modules that a program was linked of, and Go's own library.
func billOf(info *buildinfo.BuildInfo, name, version string, seconds int64) bom {
	b := bom{Format: "CycloneDX", Spec: "1.5", Version: 1}
	b.Metadata.Timestamp = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	b.Metadata.Component = component{Type: "application", Ref: name + "@" + version, Name: name, Version: version}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" || s.Key == "GOOS" || s.Key == "CGO_ENABLED" {
			b.Metadata.Component.Properties = append(b.Metadata.Component.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	b.Components = append(b.Components, library("std", info.GoVersion[len("go"):], ""))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, library(m.Path, m.Version, m.Sum))
	}
	return b
}

func library(path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + version
	c := component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{"go:module:sum", sum}}
	}
	return c
}
