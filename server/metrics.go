package server

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// statusGone is the status in log and metrics of a request whose client went before there was an answer.
const statusGone = 499

// metrics are what is counted and measured. No label has what a client wrote.
type metrics struct {
	requests              *prometheus.CounterVec
	prompt, cached        prometheus.Counter
	generated             prometheus.Counter
	firstToken, nextToken prometheus.Histogram
	handler               http.Handler
}

// waits are bounds of times in seconds.
var waits = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 60}

func newMetrics(s *Server) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: waits})
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mmrun_requests_total",
			Help: "Requests that were answered, by endpoint and status; 499 are those whose client went before."}, []string{"endpoint", "code"}),
		prompt:     counter("mmrun_prompt_tokens_total", "Tokens of prompts that were computed."),
		cached:     counter("mmrun_cached_tokens_total", "Tokens of prompts that were not computed because a state after them was kept."),
		generated:  counter("mmrun_generated_tokens_total", "Tokens of answers."),
		firstToken: histogram("mmrun_time_to_first_token_seconds", "From a request's arrival at the scheduler to the first token of an answer."),
		nextToken:  histogram("mmrun_time_between_tokens_seconds", "Between two tokens of an answer."),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.prompt, m.cached, m.generated, m.firstToken, m.nextToken,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("mmrun_queue_length", "Requests that wait for a place.", func() float64 { return float64(s.load().queued) }),
		gauge("mmrun_batch_size", "Answers that are made at this moment.", func() float64 { return float64(s.load().generating) }),
		gauge("mmrun_longest_wait_seconds", "The longest that reading prompts has added between two tokens of an answer.", func() float64 { return s.load().longest }),
		gauge("mmrun_state_cache_bytes", "States that are kept in memory.", func() float64 { bytes, _ := s.cache.usage(); return float64(bytes) }),
		gauge("mmrun_device_memory_bytes", "Memory on the device, of all models that are open.", func() float64 { return s.load().memory }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mmrun_state_cache_hits_total", Help: "Prompts that began with what was kept."},
			func() float64 { _, hits := s.cache.usage(); return float64(hits) }))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return m
}

func (m *metrics) serve(w http.ResponseWriter, r *http.Request) error {
	m.handler.ServeHTTP(w, r)
	return nil
}

// answered counts a request. The endpoint is one of ours, or "other".
func (m *metrics) answered(endpoint string, status int) {
	m.requests.WithLabelValues(endpoint, strconv.Itoa(status)).Inc()
}

// serverLoad is what all models do now.
type serverLoad struct {
	queued, generating int
	longest, memory    float64
}

func (s *Server) load() (l serverLoad) {
	for _, h := range s.hosts {
		h.mu.Lock()
		o := h.open
		if o != nil {
			h.users++ // it stays open for as long
		}
		h.mu.Unlock()
		if o == nil {
			continue
		}
		stats := o.scheduler.Stats()
		l.queued += stats.Queued
		l.generating += stats.Generating
		l.longest = max(l.longest, stats.LongestWait.Seconds())
		l.memory += float64(o.memory())
		h.mu.Lock()
		h.users--
		h.mu.Unlock()
	}
	return l
}
