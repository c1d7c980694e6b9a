package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// file is a tokenizer.json.
type file struct {
	AddedTokens   []addedToken `json:"added_tokens"`
	Normalizer    *part        `json:"normalizer"`
	PreTokenizer  *part        `json:"pre_tokenizer"`
	PostProcessor *part        `json:"post_processor"`
	Decoder       *part        `json:"decoder"`
	Model         *modelField  `json:"model"`
}

type addedToken struct {
	ID         *int64 `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	Lstrip     bool   `json:"lstrip"`
	Rstrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// modelField is the field model. The vocabulary is an object of ids, or, of a unigram model, a list of
// tokens with their scores; merges are "a b" strings or [a, b] pairs.
type modelField struct {
	Type         string          `json:"type"`
	Dropout      float64         `json:"dropout"`
	UnkToken     *string         `json:"unk_token"`
	UnkID        *int64          `json:"unk_id"`
	Prefix       string          `json:"continuing_subword_prefix"`
	Suffix       string          `json:"end_of_word_suffix"`
	FuseUnk      bool            `json:"fuse_unk"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	Vocab        json.RawMessage `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`

	ids    map[string]int64 // the vocabulary, once it is read
	pairs  [][2]string      // the merges, once they are read
	scores []float64        // of a unigram model, by id
}

// part is one component of the pipeline: its type, and the fields of all supported types.
type part struct {
	Type string `json:"type"`

	// Sequence
	Normalizers   []part `json:"normalizers"`
	Pretokenizers []part `json:"pretokenizers"`
	Processors    []part `json:"processors"`
	Decoders      []part `json:"decoders"`

	// ByteLevel
	AddPrefixSpace *bool `json:"add_prefix_space"`
	UseRegex       *bool `json:"use_regex"`

	// Metaspace
	Replacement   string `json:"replacement"`
	PrependScheme string `json:"prepend_scheme"`
	SplitWords    *bool  `json:"split"`

	// Normalizers and decoders
	StripLeft  *bool   `json:"strip_left"`
	StripRight *bool   `json:"strip_right"`
	Prepend    string  `json:"prepend"`
	Content    *string `json:"content"`
	Charsmap   string  `json:"precompiled_charsmap"`
	Start      int64   `json:"start"`
	Stop       int64   `json:"stop"`

	// Split, Punctuation, Digits, CharDelimiterSplit
	Delimiter        string   `json:"delimiter"`
	Pattern          *pattern `json:"pattern"`
	Behavior         behavior `json:"behavior"`
	Invert           bool     `json:"invert"`
	IndividualDigits bool     `json:"individual_digits"`

	// TemplateProcessing, RobertaProcessing, BertProcessing
	Cls           json.RawMessage          `json:"cls"`
	Sep           json.RawMessage          `json:"sep"`
	Single        []templatePiece          `json:"single"`
	SpecialTokens map[string]templateToken `json:"special_tokens"`
}

type pattern struct {
	Regex  *string `json:"Regex"`
	String *string `json:"String"`
}

// Parse reads a tokenizer.json from data; name is what errors call it.
func Parse(name string, data []byte) (*Tokenizer, error) {
	if err := checkPointer(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// checkPointer finds what Git leaves in place of a large file that was not fetched.
func checkPointer(data []byte) error {
	if bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/")) {
		return errors.New("is a pointer of Git LFS, not the file itself; 'git lfs pull' fetches it")
	}
	return nil
}

func parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, jsonError(err)
	}
	return build(&f)
}

// build makes the tokenizer that a file describes.
func build(f *file) (*Tokenizer, error) {
	if f.Model == nil {
		return nil, errors.New("model: is missing")
	}
	t := newTokenizer()
	for _, read := range []func(*file) error{
		t.readNormalizer, t.readPreTokenizer, t.readVocab, t.readAddedTokens, t.readModel,
		t.readPostProcessor, t.readDecoder,
	} {
		if err := read(f); err != nil {
			return nil, err
		}
	}
	t.fillBytes()
	return t, nil
}

func newTokenizer() *Tokenizer {
	return &Tokenizer{literal: newMatcher(), normalized: newMatcher(), raw: newMatcher(), ids: map[string]int32{}, bos: -1, eos: -1}
}

// jsonError says in one line where and why the JSON cannot be read.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken JSON at byte %d: %w", syntax.Offset, err)
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		if mismatch.Field == "" {
			return fmt.Errorf("the file holds a JSON %s, not an object", mismatch.Value)
		}
		return fmt.Errorf("%s: is a JSON %s, not %s", mismatch.Field, mismatch.Value, jsonType(mismatch.Type))
	}
	return err
}

// jsonType names the JSON value that a field of Go type t is read from.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// located is a component with the path of its field, for errors.
type located struct {
	*part
	field string
}

// flatten returns the components of p in order, with the sequences taken apart; inner names and
// returns the field of a sequence's components.
func flatten(p *part, field string, inner func(*part) (string, []part)) []located {
	if p == nil {
		return nil
	}
	if p.Type != "Sequence" {
		return []located{{p, field}}
	}
	name, parts := inner(p)
	var out []located
	for i := range parts {
		out = append(out, flatten(&parts[i], fmt.Sprintf("%s.%s[%d]", field, name, i), inner)...)
	}
	return out
}

// unsupported is the error for a component of another kind.
func (l located) unsupported(want string) error {
	return fmt.Errorf("%s.type: %q is not supported, only %s", l.field, l.Type, want)
}
