package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/stats"
	"github.com/mmrun/mmrun/tokenizer"
)

// perplexity is one run of the command.
type perplexity struct {
	*opened
	file    string
	size    int64 // of the file, 0 when it is not known
	bos     int32 // -1 for none
	bytes   []int // by token, of the text it stands for
	end     int   // last tokens of each piece that are scored; 0 is all
	tokens  int64
	done    int64 // bytes that all readings have scored
	reading []*reading
}

// reading is a text read in pieces of one length, each from an empty state.
type reading struct {
	*perplexity
	context   int64 // 0 is the whole text
	state     *engine.State
	at        int64   // tokens of the piece so far
	last      int32   // its last, or bos: what predicts the next; -1 for none
	piece     []int32 // what there is of it, where only its end is scored
	spent     time.Duration
	all       stats.Surprise
	positions []stats.Surprise // bucket i ends before position firstBucket << i
}

// firstBucket is how many positions the first bucket has; every other one doubles what is covered.
const firstBucket = 64

// tokenBytes is how many bytes of text every token stands for.
func tokenBytes(tok *tokenizer.Tokenizer) []int {
	sizes := make([]int, tok.VocabSize())
	for id := range sizes {
		data, _ := tok.Bytes(int32(id))
		sizes[id] = len(data)
	}
	return sizes
}

func (p *perplexity) close() {
	for _, r := range p.reading {
		r.state.Close()
	}
}

// run reads the text once, in batches that all readings take their turn with.
func (p *perplexity) run(ctx context.Context, text *corpus.Reader, lengths []int) error {
	for _, length := range lengths {
		state, err := p.NewState()
		if err != nil {
			return err
		}
		p.reading = append(p.reading, &reading{perplexity: p, context: int64(length), state: state, last: p.bos})
	}
	progress := p.console.progress("text", byteWords)
	defer p.console.clear()
	for {
		ids, err := text.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := p.batches(ctx, ids, progress); err != nil {
			return err
		}
	}
	if p.tokens == 0 {
		return fmt.Errorf("%s: the text is empty", p.file)
	}
	for _, r := range p.reading {
		if r.all.Tokens() == 0 {
			if p.end > 0 {
				return fmt.Errorf("%s: the text has %d tokens, no whole piece of %d", p.file, p.tokens, r.context)
			}
			return fmt.Errorf("%s: the text has a single token, and nothing predicts it", p.file)
		}
	}
	return nil
}

func (p *perplexity) batches(ctx context.Context, ids []int32, progress func(done, total int64)) error {
	const most = 4096 // tokens, so that the progress moves
	for len(ids) > 0 {
		batch := ids[:min(most, len(ids))]
		ids = ids[len(batch):]
		for _, r := range p.reading {
			start := time.Now()
			if err := r.read(ctx, batch); err != nil {
				return err
			}
			r.spent += time.Since(start)
		}
		p.tokens += int64(len(batch))
		for _, id := range batch {
			p.done += int64(p.bytes[id])
		}
		progress(p.done, p.size)
	}
	return nil
}

// read takes in tokens, as many pieces as they fill.
func (r *reading) read(ctx context.Context, ids []int32) error {
	if r.end > 0 {
		return r.collect(ctx, ids)
	}
	for len(ids) > 0 {
		if r.context > 0 && r.at == r.context {
			if err := r.state.Reset(); err != nil {
				return err
			}
			r.at, r.last = 0, r.bos
		}
		if r.last < 0 {
			r.last, r.at, ids = ids[0], 1, ids[1:]
			continue
		}
		n := int64(len(ids))
		if r.context > 0 {
			n = min(n, r.context-r.at)
		}
		if err := r.score(ctx, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// score predicts every one of some tokens of a piece from those before it.
func (r *reading) score(ctx context.Context, targets []int32) error {
	tokens := append([]int32{r.last}, targets[:len(targets)-1]...)
	return r.Score(ctx, r.state, tokens, targets, func(first int, nats []float32) error {
		for i, x := range nats {
			id := targets[first+i]
			r.all.Add(float64(x), r.bytes[id])
			r.bucket().Add(float64(x), r.bytes[id])
			r.at, r.last = r.at+1, id
		}
		return nil
	})
}

// collect takes in tokens, and scores the end of every piece that they make whole.
func (r *reading) collect(ctx context.Context, ids []int32) error {
	for len(ids) > 0 {
		n := min(len(ids), int(r.context)-len(r.piece))
		r.piece, ids = append(r.piece, ids[:n]...), ids[n:]
		if len(r.piece) < int(r.context) {
			continue
		}
		if err := r.state.Reset(); err != nil {
			return err
		}
		tokens := r.piece[:len(r.piece)-1]
		if r.bos >= 0 {
			tokens = append([]int32{r.bos}, tokens...)
		}
		nats, err := r.surprises(ctx, tokens, r.piece[len(r.piece)-len(tokens):])
		if err != nil {
			return err
		}
		r.at = r.context - int64(r.end)
		for _, x := range nats {
			id := r.piece[r.at]
			r.all.Add(float64(x), r.bytes[id])
			r.bucket().Add(float64(x), r.bytes[id])
			r.at++
		}
		r.piece = r.piece[:0]
	}
	return nil
}

// surprises are those at the last of some targets, in nats.
func (r *reading) surprises(ctx context.Context, tokens, targets []int32) (nats []float32, err error) {
	if r.drop != nil {
		return r.ScoreLast(ctx, r.state, tokens, targets[len(targets)-r.end:], *r.drop)
	}
	err = r.Score(ctx, r.state, tokens, targets, func(_ int, more []float32) error {
		nats = append(nats, more...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return nats[len(nats)-r.end:], nil
}

// bucket is where the token at position at belongs.
func (r *reading) bucket() *stats.Surprise {
	i := 0
	for r.at >= firstBucket<<i {
		i++
	}
	for i >= len(r.positions) {
		r.positions = append(r.positions, stats.Surprise{})
	}
	return &r.positions[i]
}
