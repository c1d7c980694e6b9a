package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// readDecoder reads the field decoder.
func (t *Tokenizer) readDecoder(f *file) error {
	parts := flatten(f.Decoder, "decoder", func(p *part) (string, []part) { return "decoders", p.Decoders })
	if len(parts) == 0 {
		t.stages = []maker{func(continues bool) stage { return &joinStage{continues} }}
	}
	fused := false
	for _, p := range parts {
		if p.Type == "Fuse" {
			fused = true
			continue
		}
		m, err := p.maker(fused)
		if err != nil {
			return err
		}
		t.stages = append(t.stages, m)
	}
	return nil
}

// maker returns what makes the stage of a component of decoder; fused says that all tokens before it
// are one text.
func (l located) maker(fused bool) (maker, error) {
	switch l.Type {
	case "ByteLevel":
		return func(bool) stage { return &byteLevelStage{} }, nil
	case "ByteFallback":
		return func(bool) stage { return &byteFallbackStage{} }, nil
	case "Metaspace":
		mark, scheme, err := l.spaceMark()
		return func(continues bool) stage {
			return &metaspaceStage{mark, !continues && scheme != "never"}
		}, err
	case "Replace":
		return l.replaceMaker(fused)
	case "Strip":
		return l.stripMaker(fused)
	}
	return nil, l.unsupported("ByteLevel, ByteFallback, Metaspace, Replace, Fuse, Strip and Sequence")
}

func (l located) replaceMaker(fused bool) (maker, error) {
	content, err := l.content()
	if err != nil {
		return nil, err
	}
	re, err := l.compile()
	if err != nil {
		return nil, err
	}
	if what := l.Pattern.String; l.Pattern.Regex == nil && *what != "" && (!fused || utf8.RuneCountInString(*what) == 1) {
		return func(bool) stage { return &replaceStage{*what, content} }, nil
	}
	return func(bool) stage { return &replaceAllStage{re: re, with: content, fused: fused} }, nil
}

func (l located) stripMaker(fused bool) (maker, error) {
	content, err := l.content()
	if err != nil {
		return nil, err
	}
	char, size := utf8.DecodeRuneInString(content)
	switch {
	case size == 0 || size != len(content):
		return nil, fmt.Errorf("%s.content: %q is not one character", l.field, content)
	case l.Start < 0 || l.Start > maxStrip:
		return nil, fmt.Errorf("%s.start: %d is outside 0 to %d", l.field, l.Start, maxStrip)
	case l.Stop < 0 || l.Stop > maxStrip:
		return nil, fmt.Errorf("%s.stop: %d is outside 0 to %d", l.field, l.Stop, maxStrip)
	}
	start, stop := int(l.Start), int(l.Stop)
	return func(continues bool) stage {
		s := &stripStage{content: char, start: start, stop: stop, fused: fused}
		if fused && continues {
			s.cut = s.start
		}
		return s
	}, nil
}

// maxStrip bounds the characters that a decoder takes off.
const maxStrip = 1 << 10
