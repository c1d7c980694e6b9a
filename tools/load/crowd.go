package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mmrun/mmrun"
)

// maxShown is how many wrong answers are told of one by one.
const maxShown = 10

// crowd has clients ask, and says what was wrong.
func crowd(ctx context.Context, o *options, out io.Writer) error {
	m, err := mmrun.Open(o.model, mmrun.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := start(ctx, o, "--state-cache", "64MiB")
	if err != nil {
		return err
	}
	all, err := ask(ctx, o, p, m.Tokenizer().VocabSize(), out)
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	return tell(ctx, o, m, all, out)
}

// ask has all numbers of clients ask.
func ask(ctx context.Context, o *options, p *process, vocab int, out io.Writer) (all []asked, err error) {
	if err := warm(ctx, o, p, vocab); err != nil {
		return nil, err
	}
	time.Sleep(200 * time.Millisecond) // connections are closed
	before, middle := p.sample(), metrics{}
	fmt.Fprintf(out, "%s, %d places, prompts of 1 to %d tokens, answers of %d\n\n%s\n", o.model, o.places, o.prompt, o.tokens, head)
	var wrong []error
	for i, n := range o.clients {
		start, began := p.sample(), time.Now()
		some := together(ctx, o, p, n, vocab, uint64(i), func() { middle = p.sample() })
		fmt.Fprintln(out, row(n, some, time.Since(began), start, p.sample()))
		all = append(all, some...)
	}
	after := p.settled(before)
	fmt.Fprint(out, "\n", holdings(before, middle, after))
	if before[memoryMetric] > 0 {
		wrong = append(wrong, grown(before, middle, after))
	}
	return all, errors.Join(wrong...)
}

// warm asks as many at a time as there are places, so that all kernels are compiled and all memory is there.
func warm(ctx context.Context, o *options, p *process, vocab int) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(o.seed, 1<<32))
	for _, tokens := range []int{1, 20, 200, o.prompt} {
		errs := make([]error, o.places)
		var wg sync.WaitGroup
		for i := range errs {
			q := &question{MaxTokens: min(o.tokens, 8), TopP: 1}
			for range tokens {
				q.Prompt = append(q.Prompt, random.Int32N(int32(vocab)))
			}
			wg.Go(func() { errs[i] = q.ask(ctx, client, p.url).err })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// together has the given number of clients ask at a time, each its next question when the last is answered. halfway is called in
// the middle.
func together(ctx context.Context, o *options, p *process, clients, vocab int, round uint64, halfway func()) []asked {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	end := time.Now().Add(o.time)
	timer := time.AfterFunc(o.time/2, halfway)
	defer timer.Stop()
	all := make([][]asked, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(o.seed+round<<16, uint64(i)))
			var earlier [][]int32
			for time.Now().Before(end) && ctx.Err() == nil {
				q := draw(random, o, vocab, earlier)
				if earlier = append(earlier, q.Prompt); len(earlier) > 4 {
					earlier = earlier[1:]
				}
				all[i] = append(all[i], asked{q, q.ask(ctx, client, p.url)})
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...)
}

// tell counts what went wrong.
func tell(ctx context.Context, o *options, m *mmrun.Model, all []asked, out io.Writer) error {
	var lost []error
	var answered []asked
	gone, slow, continued := 0, 0, 0
	for i, a := range all {
		if a.err != nil {
			lost = append(lost, fmt.Errorf("answer %d: %w", i, a.err))
			continue
		}
		answered = append(answered, a)
		if a.gone {
			gone++
		}
		if a.slow > 0 {
			slow++
		}
		if a.cached > 0 {
			continued++
		}
	}
	if n := o.check; n >= 0 && n < len(answered) {
		rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(answered), func(i, j int) { answered[i], answered[j] = answered[j], answered[i] })
		answered = answered[:n]
	}
	wrong, err := compare(ctx, o, m, answered)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d questions: %d clients went away, %d were slow, %d prompts began with what was known\n", len(all), gone, slow, continued)
	fmt.Fprintf(out, "%d lost; of %d answers that were compared with the model's alone %d are wrong\n", len(lost), len(answered), len(wrong))
	shown := append(lost, wrong...)
	if len(shown) == 0 && len(all) == 0 {
		return errors.New("nobody asked anything")
	}
	return errors.Join(shown[:min(len(shown), maxShown)]...)
}
