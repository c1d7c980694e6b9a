package tokenizer

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// readNormalizer reads the field normalizer.
func (t *Tokenizer) readNormalizer(f *file) error {
	parts := flatten(f.Normalizer, "normalizer", func(p *part) (string, []part) { return "normalizers", p.Normalizers })
	for _, p := range parts {
		n, err := p.normalizer()
		if err != nil {
			return err
		}
		t.normalizers = append(t.normalizers, n)
	}
	return nil
}

// normalizer returns what a component of normalizer does.
func (l located) normalizer() (normalizer, error) {
	switch l.Type {
	case "NFC":
		return onText(unicodeForm(norm.NFC)), nil
	case "NFD":
		return onText(unicodeForm(norm.NFD)), nil
	case "NFKC":
		return onText(unicodeForm(norm.NFKC)), nil
	case "NFKD":
		return onText(unicodeForm(norm.NFKD)), nil
	case "Lowercase":
		return onText(lowercase), nil
	case "StripAccents":
		return removing(stripAccents), nil
	case "Nmt":
		return removing(nmt), nil
	case "Strip":
		return strip(isTrue(l.StripLeft, true), isTrue(l.StripRight, true)), nil
	case "Prepend":
		return prepend(l.Prepend), nil
	case "Replace":
		return l.replace()
	case "Precompiled":
		return l.precompiled()
	case "ByteLevel":
		return onText(toAlphabet), nil
	}
	return nil, l.unsupported("NFC, NFD, NFKC, NFKD, Nmt, Lowercase, StripAccents, Strip, Prepend, Replace, Precompiled, ByteLevel and Sequence")
}

func isTrue(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// replace is the normalizer Replace.
func (l located) replace() (normalizer, error) {
	content, err := l.content()
	if err != nil {
		return nil, err
	}
	if l.Pattern != nil && l.Pattern.Regex == nil && l.Pattern.String != nil && *l.Pattern.String != "" {
		what := *l.Pattern.String
		return func(p piece) (piece, error) {
			if content == "" && strings.HasPrefix(p.text, what) {
				p = p.headless()
			}
			p.text = strings.ReplaceAll(p.text, what, content)
			return p, nil
		}, nil
	}
	re, err := l.compile()
	if err != nil {
		return nil, err
	}
	return replacePattern(re, content), nil
}

// content is the field of that name, which may be empty but not absent.
func (l located) content() (string, error) {
	if l.Content == nil {
		return "", fmt.Errorf("%s.content: is missing", l.field)
	}
	return *l.Content, nil
}

// precompiled is SentencePiece's own table of replacements.
func (l located) precompiled() (normalizer, error) {
	if l.Charsmap == "" {
		return onText(func(s string) string { return s }), nil
	}
	data, err := base64.StdEncoding.DecodeString(l.Charsmap)
	if err != nil {
		return nil, fmt.Errorf("%s.precompiled_charsmap: %w", l.field, err)
	}
	m, err := parseCharsmap(data)
	if err != nil {
		return nil, fmt.Errorf("%s.precompiled_charsmap: %w", l.field, err)
	}
	return removing(m.byCluster), nil
}

// nmt is the normalizer of that name: control characters go, other spaces become a space.
func nmt(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 1 <= r && r <= 8, r == 0xB, 0xE <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == 9, r == 0xA, r == 0xC, r == 0xD, r == 0x1680, 0x200B <= r && r <= 0x200F, r == 0x2028,
			r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	}, s)
}
