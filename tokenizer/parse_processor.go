package tokenizer

import (
	"encoding/json"
	"fmt"
)

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
		case "RobertaProcessing", "BertProcessing":
			first, err := t.pairID(p.field+".cls", p.Cls)
			if err != nil {
				return err
			}
			last, err := t.pairID(p.field+".sep", p.Sep)
			if err != nil {
				return err
			}
			t.prefix, t.suffix = append([]int32{first}, t.prefix...), append(t.suffix, last)
		default:
			return p.unsupported("ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing and Sequence")
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

// pairID is the id in a pair of a token and its id.
func (t *Tokenizer) pairID(field string, data json.RawMessage) (int32, error) {
	var name string
	var id int64
	if !couple(data, &name, &id) || id != int64(int32(id)) || !t.known(int32(id)) {
		return 0, fmt.Errorf("%s: is not a token and its id", field)
	}
	return int32(id), nil
}
