package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/dlclark/regexp2"
)

// readNormalizer reads the field normalizer.
func (t *Tokenizer) readNormalizer(f *file) error {
	parts := flatten(f.Normalizer, "normalizer", func(p *part) (string, []part) { return "normalizers", p.Normalizers })
	for _, p := range parts {
		if p.Type != "NFC" {
			return p.unsupported("NFC and Sequence")
		}
		t.nfc = true
	}
	return nil
}

// readPreTokenizer reads the field pre_tokenizer. What stands after ByteLevel in a sequence sees
// the alphabet's characters, so the text is written in them for those steps and only for them.
func (t *Tokenizer) readPreTokenizer(f *file) error {
	parts := flatten(f.PreTokenizer, "pre_tokenizer", func(p *part) (string, []part) { return "pretokenizers", p.Pretokenizers })
	level := slices.IndexFunc(parts, func(p located) bool { return p.Type == "ByteLevel" })
	if level < 0 {
		return errors.New("pre_tokenizer: has no ByteLevel, only byte-level tokenizers are supported")
	}
	for i, p := range parts {
		s, err := p.step()
		if err != nil {
			return err
		}
		if p.Type == "ByteLevel" && i != level {
			return fmt.Errorf("%s: is a second ByteLevel after %s", p.field, parts[level].field)
		}
		t.steps = append(t.steps, s)
		if i == level && i < len(parts)-1 {
			t.steps = append(t.steps, writeAlphabet)
		}
	}
	if level < len(parts)-1 {
		t.steps = append(t.steps, readAlphabet)
	}
	return nil
}

func writeAlphabet(piece string, yield func(string) error) error { return yield(toAlphabet(piece)) }

func readAlphabet(piece string, yield func(string) error) error {
	word, ok := fromAlphabet(piece)
	if !ok {
		return fmt.Errorf("%q has characters outside the byte alphabet", piece)
	}
	return yield(word)
}

// step returns the step that a component of pre_tokenizer describes.
func (l located) step() (step, error) {
	b := l.Behavior
	if b == "" && l.Type == "Punctuation" {
		b = isolated
	}
	switch l.Type {
	case "ByteLevel":
		if l.AddPrefixSpace == nil {
			return nil, fmt.Errorf("%s.add_prefix_space: is missing", l.field)
		}
		return byteLevel(*l.AddPrefixSpace, l.UseRegex == nil || *l.UseRegex), nil
	case "Digits":
		if l.IndividualDigits {
			return cutting(findRunes(unicode.IsNumber), isolated), nil
		}
		return cutting(findRunes(unicode.IsNumber), contiguous), nil
	case "Punctuation", "Split":
		if !b.valid() {
			return nil, fmt.Errorf("%s.behavior: %q is not supported", l.field, b)
		}
		if l.Type == "Punctuation" {
			return cutting(findRunes(isPunctuation), b), nil
		}
		re, err := l.compile()
		if err != nil {
			return nil, err
		}
		return cutting(findPattern(re, l.Invert), b), nil
	}
	return nil, l.unsupported("ByteLevel, Split, Punctuation, Digits and Sequence")
}

// compile compiles the pattern of a Split. Hugging Face's engine is Oniguruma; the constructs that
// mean something else here are refused.
func (l located) compile() (*regexp2.Regexp, error) {
	switch p := l.Pattern; {
	case p == nil || p.Regex == nil && p.String == nil:
		return nil, fmt.Errorf("%s.pattern: is missing", l.field)
	case p.Regex == nil:
		return regexp2.Compile(regexp2.Escape(*p.String), regexp2.None)
	case strings.Contains(*p.Regex, "[:") || strings.Contains(*p.Regex, "&&"):
		return nil, fmt.Errorf("%s.pattern: %q has a POSIX class or an intersection, which are not supported", l.field, *p.Regex)
	}
	re, err := regexp2.Compile(*l.Pattern.Regex, regexp2.Multiline) // in Oniguruma's syntax ^ and $ are a line's
	if err != nil {                                                 // the message quotes the pattern, line breaks and all
		return nil, fmt.Errorf("%s.pattern: %s", l.field, strings.ReplaceAll(err.Error(), "\n", `\n`))
	}
	return re, nil
}

// templatePiece is one entry of a template: the text or a special token.
type templatePiece struct {
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence"`
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
}

type templateToken struct {
	IDs []int64 `json:"ids"`
}

// readPostProcessor reads the field post_processor: the tokens around a text.
func (t *Tokenizer) readPostProcessor(f *file) error {
	parts := flatten(f.PostProcessor, "post_processor", func(p *part) (string, []part) { return "processors", p.Processors })
	for _, p := range parts {
		switch p.Type {
		case "ByteLevel": // trims offsets, adds nothing
		case "TemplateProcessing":
			prefix, suffix, err := t.template(p)
			if err != nil {
				return err
			}
			t.prefix = append(prefix, t.prefix...)
			t.suffix = append(t.suffix, suffix...)
		default:
			return p.unsupported("ByteLevel, TemplateProcessing and Sequence")
		}
	}
	return nil
}

// template returns the ids before and after the one text of a template.
func (t *Tokenizer) template(p located) (prefix, suffix []int32, err error) {
	ids, texts := &prefix, 0
	for i, piece := range p.Single {
		if piece.Sequence != nil {
			ids = &suffix
			texts++
			continue
		}
		field := fmt.Sprintf("%s.single[%d]", p.field, i)
		if piece.SpecialToken == nil {
			return nil, nil, fmt.Errorf("%s: is neither Sequence nor SpecialToken", field)
		}
		token, ok := p.SpecialTokens[piece.SpecialToken.ID]
		if !ok {
			return nil, nil, fmt.Errorf("%s: %q is not in special_tokens", field, piece.SpecialToken.ID)
		}
		for _, id := range token.IDs {
			if id != int64(int32(id)) || !t.known(int32(id)) {
				return nil, nil, fmt.Errorf("%s: id %d of %q is no token", field, id, piece.SpecialToken.ID)
			}
			*ids = append(*ids, int32(id))
		}
	}
	if texts != 1 {
		return nil, nil, fmt.Errorf("%s.single: has the text %d times, not once", p.field, texts)
	}
	return prefix, suffix, nil
}

// readDecoder checks the field decoder.
func readDecoder(f *file) error {
	parts := flatten(f.Decoder, "decoder", func(p *part) (string, []part) { return "decoders", p.Decoders })
	if len(parts) == 0 {
		return errors.New("decoder: is missing, only ByteLevel is supported")
	}
	for _, p := range parts {
		if p.Type != "ByteLevel" {
			return p.unsupported("ByteLevel and Sequence")
		}
	}
	return nil
}
