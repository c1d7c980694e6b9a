package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
)

// mostClients bounds bench --clients.
const mostClients = 4096

func clientFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "clients", Category: "Measurement", Usage: "also measure `N,N,...` clients, who each ask -r times"},
		&cli.IntFlag{Name: "places", Category: "Measurement", Value: defaultBatch,
			Usage: fmt.Sprintf("of all clients continue the texts of `N` at a time, at most %d", engine.MaxBatch)},
		&cli.DurationFlag{Name: "max-wait", Category: "Measurement", Value: engine.DefaultMaxWait,
			Usage: "let reading prompts add `TIME` at the most between two tokens of a text"},
	}
}

// readCounts reads what is to be measured together.
func (b *benchmark) readCounts(c *cli.Context) (err error) {
	if b.sizes, err = counts(c, "batch", "sequences", engine.MaxBatch); err != nil {
		return err
	}
	if b.crowds, err = counts(c, "clients", "clients", mostClients); err != nil {
		return err
	}
	return nil
}

// clientResult is what a number of clients met.
type clientResult struct {
	Clients   int     `json:"clients"`
	Places    int     `json:"places"`
	Requests  int     `json:"requests"`
	Seconds   float64 `json:"seconds"`
	Prompt    int     `json:"prompt_tokens"`
	Generated int     `json:"generated_tokens"`
	Rate      float64 `json:"generated_tokens_per_s"`
	ReadRate  float64 `json:"prompt_tokens_per_s"`

	FirstMedian   float64 `json:"first_token_median_s"`
	First99       float64 `json:"first_token_99th_s"`
	BetweenMedian float64 `json:"between_tokens_median_s"`
	Between99     float64 `json:"between_tokens_99th_s"`
	LongestWait   float64 `json:"longest_wait_s"` // that reading has added between two tokens
}

// clientRun is one run of a number of clients.
type clientRun struct {
	*benchmark
	scheduler       *engine.Scheduler
	mostPrompt, gen int

	mu             sync.Mutex
	first, between []float64
	prompt, tokens int
}

// measureClients has clients ask, each its next request when the last is answered, once for nothing: that compiles
// and warms caches.
func (b *benchmark) measureClients(ctx context.Context, o engine.SchedulerOptions, clients, mostPrompt, gen int) error {
	if _, err := b.ofClients(ctx, o, min(clients, o.Places), 1, mostPrompt, gen); err != nil {
		return err
	}
	result, err := b.ofClients(ctx, o, clients, b.runs, mostPrompt, gen)
	b.clients = append(b.clients, result)
	return err
}

// ofClients has clients ask at the same time, each several times.
func (b *benchmark) ofClients(ctx context.Context, o engine.SchedulerOptions, clients, times, mostPrompt, gen int) (*clientResult, error) {
	scheduler, err := b.NewScheduler(o)
	if err != nil {
		return nil, err
	}
	defer scheduler.Close()
	r, start := &clientRun{benchmark: b, scheduler: scheduler, mostPrompt: mostPrompt, gen: gen}, time.Now()
	if err := r.all(ctx, clients, times); err != nil {
		return nil, err
	}
	took, stats := time.Since(start), scheduler.Stats()
	if int(stats.Generated) != r.tokens {
		return nil, fmt.Errorf("the scheduler counts %d tokens, the clients %d", stats.Generated, r.tokens)
	}
	return &clientResult{
		Clients: clients, Places: o.Places, Requests: clients * times, Seconds: took.Seconds(), Prompt: r.prompt, Generated: r.tokens,
		Rate: perSecond(r.tokens, took), ReadRate: perSecond(r.prompt, took),
		FirstMedian: quantile(r.first, 0.5), First99: quantile(r.first, 0.99),
		BetweenMedian: quantile(r.between, 0.5), Between99: quantile(r.between, 0.99),
		LongestWait: stats.LongestWait.Seconds(),
	}, nil
}

// all has clients ask at the same time, each several times.
func (r *clientRun) all(ctx context.Context, clients, times int) error {
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(i)))
			for n := 0; n < times && errs[i] == nil; n++ {
				errs[i] = r.ask(ctx, random)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ask is one request, of a prompt whose length is drawn so that short ones are as frequent as long ones are long.
func (r *clientRun) ask(ctx context.Context, random *rand.Rand) error {
	prompt := make([]int32, int(math.Exp(random.Float64()*math.Log(float64(r.mostPrompt)))+0.5))
	for i := range prompt {
		prompt[i] = random.Int32N(int32(r.Sizes().Vocab))
	}
	o := engine.GenerateOptions{MaxTokens: r.gen, Stop: []int32{}}
	last := time.Now()
	stream, err := r.scheduler.Submit(ctx, engine.Request{Prompt: prompt, Options: o, LogProbs: -1})
	if err != nil {
		return err
	}
	var spans []float64
	for {
		_, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		now := time.Now()
		spans = append(spans, now.Sub(last).Seconds())
		last = now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first, r.between = append(r.first, spans[0]), append(r.between, spans[1:]...)
	r.prompt, r.tokens = r.prompt+len(prompt), r.tokens+len(spans)
	return nil
}

// quantile is the value below which a share of all lies, 0 of none.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(share*float64(len(values))))]
}

// clientText is a table of what clients met, nothing if there were none.
func (b *benchmark) clientText() string {
	if len(b.clients) == 0 {
		return ""
	}
	ms := func(seconds float64) string { return fmt.Sprintf("%.0f", 1000*seconds) }
	t := newTable(">clients", ">places", ">requests", ">tokens/s", ">prompt/s", ">first ms", ">99%", ">between ms", ">99%", ">longest wait ms")
	for _, r := range b.clients {
		t.add(fmt.Sprint(r.Clients), fmt.Sprint(r.Places), fmt.Sprint(r.Requests), fmt.Sprintf("%.1f", r.Rate), fmt.Sprintf("%.1f", r.ReadRate),
			ms(r.FirstMedian), ms(r.First99), ms(r.BetweenMedian), ms(r.Between99), ms(r.LongestWait))
	}
	return "\n" + t.String()
}
