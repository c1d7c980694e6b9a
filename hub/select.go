package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// small are files that a model may have beside its weights.
var small = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
	"added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json",
}

var (
	shardForm = map[string]*regexp.Regexp{
		"model.safetensors.index.json": regexp.MustCompile(`^model-\d+-of-\d+\.safetensors$`),
		"pytorch_model.bin.index.json": regexp.MustCompile(`^pytorch_model-\d+-of-\d+\.bin$`),
	}
	splitForm = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)
)

// choose says which of a model's files are wanted: the one that is named, or what it takes to run the model. Of weights
// in several forms that is the one that is read best.
func choose(n Name, files []string) ([]string, error) {
	if n.File != "" {
		if !slices.Contains(files, n.File) {
			return nil, &Error{404, fmt.Sprintf("%s has no file %s%s", n.Repo(), n.File, among("; it has ", files))}
		}
		return parts(n.File, files), nil
	}
	var chosen []string
	for _, file := range files {
		if slices.Contains(small, file) {
			chosen = append(chosen, file)
		}
	}
	weights, err := weightsOf(n, files)
	return append(chosen, weights...), err
}

func weightsOf(n Name, files []string) ([]string, error) {
	for _, single := range []string{"model.safetensors", "pytorch_model.bin"} {
		if slices.Contains(files, single) {
			return []string{single}, nil
		}
		index := single + ".index.json"
		if !slices.Contains(files, index) {
			continue
		}
		shards := []string{index}
		for _, file := range files {
			if shardForm[index].MatchString(file) {
				shards = append(shards, file)
			}
		}
		return shards, nil
	}
	var models []string // a split file by its first part
	for _, file := range files {
		if m := splitForm.FindStringSubmatch(file); strings.HasSuffix(file, ".gguf") && (m == nil || m[2] == "00001") {
			models = append(models, file)
		}
	}
	switch len(models) {
	case 0:
		return nil, &Error{404, fmt.Sprintf("%s has no weights that are read here: model.safetensors, pytorch_model.bin or a .gguf file%s", n.Repo(), among("; it has ", files))}
	case 1:
		return parts(models[0], files), nil
	}
	return nil, &Error{404, fmt.Sprintf("%s has several GGUF files; name one, as in 'mmrun pull %s:%s'%s", n.Repo(), n.Repo(), models[0], among("; they are ", models))}
}

// parts are all parts of a split GGUF file, or the file itself.
func parts(file string, files []string) []string {
	m := splitForm.FindStringSubmatch(file)
	if m == nil {
		return []string{file}
	}
	var all []string
	for _, other := range files {
		if o := splitForm.FindStringSubmatch(other); o != nil && o[1] == m[1] && o[3] == m[3] {
			all = append(all, other)
		}
	}
	return all
}

// among lists some names.
func among(lead string, names []string) string {
	const most = 12
	switch n := len(names); {
	case n == 0:
		return ""
	case n > most:
		return fmt.Sprintf("%s%s and %d more", lead, strings.Join(names[:most], ", "), n-most)
	}
	return lead + strings.Join(names, ", ")
}
