package tokenizer

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Kinds of models in a tokenizer.model.
const (
	spUnigram = 1
	spBPE     = 2
)

// ParseModel reads SentencePiece's tokenizer.model from data; name is what errors call it. A token for
// the beginning is put in front of a text where there is one, as Hugging Face does for such files.
func ParseModel(name string, data []byte) (*Tokenizer, error) {
	return parseModelFile(name, data, &config{})
}

// parseModelFile is ParseModel with the settings of a tokenizer_config.json.
func parseModelFile(name string, data []byte, c *config) (*Tokenizer, error) {
	p, err := readModelFile(data, c)
	var t *Tokenizer
	if err == nil {
		t, err = p.tokenizer()
	}
	if err == nil {
		err = c.addTo(t)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// readModelFile reads a tokenizer.model.
func readModelFile(data []byte, c *config) (*spVocab, error) {
	p := &spVocab{unk: 0, bos: 1, eos: 2, prefix: true, tidy: true, addBOS: true, once: !isTrue(c.Legacy, true)}
	kind := uint64(spUnigram)
	if err := checkPointer(data); err != nil {
		return nil, err
	}
	err := messageFields(data, func(number protowire.Number, v fieldValue) error {
		switch number {
		case 1:
			return p.readPiece(v)
		case 2:
			return p.readTrainer(v, &kind)
		case 3:
			return p.readNormalizer(v)
		}
		return nil
	})
	if err == nil {
		err = p.finish(kind)
	}
	p.prefix = p.prefix && isTrue(c.AddPrefix, true)
	return p, err
}

// finish settles what the file leaves open.
func (p *spVocab) finish(kind uint64) error {
	if kind != spUnigram && kind != spBPE {
		return fmt.Errorf("trainer_spec.model_type: %d is not supported, only 1 (unigram) and 2 (BPE)", kind)
	}
	p.unigram = kind == spUnigram
	for _, id := range []*int32{&p.unk, &p.bos, &p.eos} {
		if int(*id) >= len(p.texts) {
			*id = -1 // the default of a file that has none
		}
	}
	for _, special := range []*int32{&p.bos, &p.eos} {
		if *special >= 0 && p.types[*special] != pieceControl && p.types[*special] != pieceUserDefined {
			*special = -1
		}
	}
	return p.check()
}

// fieldValue is the value of a field: a number, or bytes.
type fieldValue struct {
	number uint64
	bytes  []byte
}

// messageFields reports the fields of a message.
func messageFields(data []byte, field func(protowire.Number, fieldValue) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errors.New("is no SentencePiece model: a field is cut off or broken")
		}
		data = data[n:]
		var v fieldValue
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(data)
			v.number = uint64(bits)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return errors.New("is no SentencePiece model: a field is cut off or broken")
		}
		data = data[n:]
		if err := field(number, v); err != nil {
			return err
		}
	}
	return nil
}

func (p *spVocab) readPiece(v fieldValue) error {
	text, score, kind := "", float32(0), int32(pieceNormal)
	err := messageFields(v.bytes, func(number protowire.Number, v fieldValue) error {
		switch number {
		case 1:
			text = string(v.bytes)
		case 2:
			score = math.Float32frombits(uint32(v.number))
		case 3:
			kind = int32(v.number)
		}
		return nil
	})
	if len(p.texts) == math.MaxInt32 {
		return errors.New("too many pieces")
	}
	p.texts, p.scores, p.types = append(p.texts, text), append(p.scores, score), append(p.types, kind)
	return err
}

func (p *spVocab) readTrainer(v fieldValue, kind *uint64) error {
	return messageFields(v.bytes, func(number protowire.Number, v fieldValue) error {
		switch number {
		case 3:
			*kind = v.number
		case 24:
			if v.number != 0 {
				return errors.New("trainer_spec.treat_whitespace_as_suffix: is not supported")
			}
		case 40:
			p.unk = int32(v.number)
		case 41:
			p.bos = int32(v.number)
		case 42:
			p.eos = int32(v.number)
		}
		return nil
	})
}

func (p *spVocab) readNormalizer(v fieldValue) error {
	return messageFields(v.bytes, func(number protowire.Number, v fieldValue) (err error) {
		switch number {
		case 2:
			if len(v.bytes) > 0 {
				p.rawCharsmap = v.bytes
				if p.charsmap, err = parseCharsmap(v.bytes); err != nil {
					return fmt.Errorf("normalizer_spec.precompiled_charsmap: %w", err)
				}
			}
		case 3:
			p.prefix = v.number != 0
		case 4:
			p.tidy = v.number != 0
		case 5:
			p.keepSpace = v.number == 0
		}
		return nil
	})
}
