package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Shards are the files that a model's weights are in.
type Shards struct {
	Files []string          // plain names, sorted
	of    map[string]string // the file of each tensor that an index lists
}

// FindShards finds a model's weights among its files: one file, or those that an index lists. has says whether there
// is a file, and read reads one whole, whose path is name in errors. Shards without files say that there is neither.
func FindShards(single, index string, has func(file string) bool, read func(file string) ([]byte, error), name string) (Shards, error) {
	switch {
	case has(single):
		return Shards{Files: []string{single}}, nil
	case !has(index):
		return Shards{}, nil
	}
	raw, err := read(index)
	if err != nil {
		return Shards{}, err
	}
	s, err := parseIndex(raw)
	if err != nil {
		return Shards{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Shards finds the directory's weights.
func (d *Directory) Shards(single, index string) (Shards, error) {
	has := func(file string) bool { _, err := fs.Stat(d.place.FS, file); return err == nil }
	s, err := FindShards(single, index, has, d.File, d.Path(index))
	if err == nil && len(s.Files) == 0 {
		err = d.NoWeights(single, index)
	}
	return s, err
}

// Take says whether a tensor that a file has is the one to take, when another of that name was taken already or not:
// a file may have tensors that the index does not list, and an index may list those that are in no file.
func (s Shards) Take(name, file string, taken bool) bool { return !taken || s.of[name] == file }

// parseIndex reads {"weight_map": {tensor: shard}, …}; other keys, such as "metadata", are free.
func parseIndex(raw []byte) (Shards, error) {
	if !utf8.Valid(raw) {
		return Shards{}, errors.New("not UTF-8")
	}
	var keys map[string]json.RawMessage // in their exact case
	if err := json.Unmarshal(raw, &keys); err != nil {
		return Shards{}, brokenJSON(err, "an object")
	}
	s := Shards{}
	if part := keys["weight_map"]; part != nil {
		if err := json.Unmarshal(part, &s.of); err != nil {
			return Shards{}, fmt.Errorf("weight_map: %w", brokenJSON(err, "an object of file names"))
		}
	}
	files := map[string]bool{}
	for _, tensor := range slices.Sorted(maps.Keys(s.of)) {
		file := s.of[tensor]
		// A shard lies beside its index: anything else would let a model read other files.
		if !fs.ValidPath(file) || file == "." || strings.ContainsAny(file, `/\:`) {
			return Shards{}, fmt.Errorf("weight_map: %s: %s is not a plain file name", quote(tensor), quote(file))
		}
		files[file] = true
	}
	if len(files) == 0 {
		return Shards{}, errors.New("weight_map is missing or empty")
	}
	s.Files = slices.Sorted(maps.Keys(files))
	return s, nil
}

// brokenJSON is an error of encoding/json in the words of someone who reads the file.
func brokenJSON(err error, want string) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		return fmt.Errorf("%s where %s is expected", kind.Value, want)
	case errors.As(err, &syntax):
		return fmt.Errorf("broken JSON at byte %d: %v", syntax.Offset, err)
	}
	return err
}

// quote is strconv.Quote kept to one short line: names come out of a file and may be of any length.
func quote(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
