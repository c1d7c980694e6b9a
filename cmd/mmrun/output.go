package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mmrun/mmrun/internal/replace"
	"github.com/urfave/cli/v2"
)

// printText writes a result to standard output; a disk that is full is an error.
func printText(c *cli.Context, text string) error {
	if _, err := io.WriteString(c.App.Writer, text); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// printJSON writes one value on one line, text as it is and not escaped for HTML.
func printJSON(c *cli.Context, value any) error {
	data, err := encodeJSON(value)
	if err != nil {
		return err
	}
	return printText(c, string(data))
}

// checkOutput refuses, before any work is done, a path that could not be written at the end.
func checkOutput(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a regular file", path)
	}
	dir := filepath.Dir(path)
	if to, err := filepath.EvalSymlinks(path); err == nil {
		dir = filepath.Dir(to)
	}
	if info, err := os.Stat(dir); err != nil {
		return fileError(path, err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s: %s is not a directory", path, dir)
	}
	f, err := os.CreateTemp(dir, ".mmrun-*")
	if err != nil {
		return fileError(path, err)
	}
	return fileError(path, errors.Join(f.Close(), os.Remove(f.Name())))
}

// writeFile writes path as a whole: it is either as it was or complete.
func writeFile(path string, fill func(w io.Writer) error) error {
	if err := checkOutput(path); err != nil {
		return err
	}
	return replace.File(path, fill)
}

func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return b.Bytes(), err
}
