package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/internal/infile"
	"github.com/mmrun/mmrun/tokenizer"
)

// tokenizerFlag names a tokenizer for a model that has none, or in place of its own.
func tokenizerFlag() cli.Flag {
	return &cli.StringFlag{Name: "tokenizer", Category: "Model", DefaultText: "the model's own",
		Usage: "the tokenizer at `PATH`, a folder, a tokenizer.json or a tokenizer.model, or OWNER/NAME of a pulled one"}
}

// withTokenizer is the model with the tokenizer that --tokenizer names, if it does.
func withTokenizer(c *cli.Context, src source) (source, error) {
	if !c.IsSet("tokenizer") {
		return src, nil
	}
	tok, dir, err := namedTokenizer(c.String("tokenizer"))
	if err != nil {
		return source{}, err
	}
	src.Source = otherTokenizer{src.Source, tok, dir}
	return src, nil
}

// otherTokenizer is a model with another tokenizer. What its own files do not say, such as a chat template, those of the
// tokenizer's folder may.
type otherTokenizer struct {
	checkpoint.Source
	tokenizer *tokenizer.Tokenizer
	folder    *checkpoint.Directory // nil where it is a file
}

func (o otherTokenizer) Unwrap() checkpoint.Source { return o.Source }

func (o otherTokenizer) Tokenizer() (*tokenizer.Tokenizer, error) { return o.tokenizer, nil }

func (o otherTokenizer) File(name string) ([]byte, error) {
	data, err := o.Source.File(name)
	if errors.Is(err, fs.ErrNotExist) && o.folder != nil && (name == "tokenizer_config.json" || name == "chat_template.jinja") {
		if other, e := o.folder.File(name); !errors.Is(e, fs.ErrNotExist) {
			return other, e
		}
	}
	return data, err
}

// namedTokenizer reads the tokenizer at a path, or one in the Hub's cache, with the folder that it lies in.
func namedTokenizer(path string) (*tokenizer.Tokenizer, *checkpoint.Directory, error) {
	if path == "" {
		return nil, nil, usagef("--tokenizer needs the name of a file or folder")
	}
	cached, ok, err := inCache(path)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		path = cached
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir := checkpoint.NewDirectory(checkpoint.Place{Name: path, Path: path, FS: os.DirFS(path)}, nil)
		tok, err := tokenizer.Open(checkpoint.Files(dir), dir.Path)
		return tok, dir, err
	}
	data, err := infile.Read(path, infile.Most)
	if err != nil {
		return nil, nil, err
	}
	parse := tokenizer.Parse
	if strings.HasSuffix(path, ".model") {
		parse = tokenizer.ParseModel
	}
	tok, err := parse(path, data)
	return tok, nil, err
}
