package server

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/mmrun/mmrun/sample"
)

// Bounds on what a request may ask for.
const (
	maxChoices   = 128 // n
	maxPrompts   = 128 // in one request
	maxStops     = 16
	maxStopBytes = 1024
	maxBias      = 1024
	maxTop       = 20 // log-probabilities of a token
	maxMessages  = 1 << 16
)

// Tokens of an answer unless a request says otherwise.
const (
	completionTokens = 16 // OpenAI's
	chatTokens       = 1024
)

// settings are what both kinds of completions may ask for.
type settings struct {
	model     string
	session   string
	maxTokens int
	sample    sample.Options
	stop      []string
	n         int
	stream    bool
	usage     bool // as the stream's last event
	logProbs  int  // how many beside each token's own; -1 is none at all
	echo      bool
	form      form
}

// readSettings reads the fields that completions and chats have in common.
func readSettings(f *fields, tokens int64) settings {
	var s settings
	s.model, _ = f.text("model")
	s.session, _ = f.text("session")
	s.maxTokens = int(f.integer("max_tokens", 0, math.MaxInt32, tokens))
	s.n = int(f.integer("n", 1, maxChoices, 1))
	if s.session != "" && s.n > 1 {
		f.fail("n", "%d answers cannot all go on in one session", s.n)
	}
	s.sample = readSampling(f)
	s.stop = readStop(f)
	if s.stream = f.boolean("stream"); f.has("stream_options") {
		o := f.object("stream_options")
		if o != nil {
			s.usage = o.boolean("include_usage")
			f.take(o)
		}
		if !s.stream {
			f.fail("stream_options", "there is no stream")
		}
	}
	s.logProbs = -1
	s.form = readForm(f)
	return s
}

// readSampling reads how tokens are chosen. Beside OpenAI's fields it knows those of vLLM and llama.cpp that
// mmrun generate has, too.
func readSampling(f *fields) sample.Options {
	o := sample.Options{
		Temperature:      f.number("temperature", 0, 2, 1),
		TopP:             f.number("top_p", 0, 1, 1),
		TopK:             int(f.integer("top_k", -1, math.MaxInt32, 0)),
		MinP:             f.number("min_p", 0, 1, 0),
		PresencePenalty:  f.number("presence_penalty", -2, 2, 0),
		FrequencyPenalty: f.number("frequency_penalty", -2, 2, 0),
		RepeatPenalty:    f.number("repetition_penalty", 0.01, 100, f.number("repeat_penalty", 0.01, 100, 1)),
		Bias:             readBias(f),
		Seed:             rand.Uint64(),
	}
	if o.TopP == 0 {
		o.TopP = math.SmallestNonzeroFloat64 // the likeliest alone; for package sample 0 is no bound
	}
	o.TopK = max(o.TopK, 0) // vLLM's -1 is all of them
	if raw := f.raw("seed"); raw != nil {
		if seed, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
			o.Seed = seed
		} else {
			o.Seed = uint64(f.integer("seed", math.MinInt64, math.MaxInt64, 0))
		}
	}
	return o
}

// readBias reads logit_bias: numbers by token id. Whether there are such tokens is known with the model.
func readBias(f *fields) map[int32]float32 {
	given := f.object("logit_bias")
	if given == nil {
		return nil
	}
	if len(given.values) > maxBias {
		f.fail("logit_bias", "%d tokens, at most %d", len(given.values), maxBias)
		return nil
	}
	bias := map[int32]float32{}
	for name := range given.values {
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil || id < 0 {
			f.fail("logit_bias", "%q is not a token id", name)
			return nil
		}
		if b := given.number(name, -100, 100, 0); b != 0 {
			bias[int32(id)] = float32(b)
		}
	}
	f.take(given)
	return bias
}

// readStop reads stop: a string or several.
func readStop(f *fields) (stop []string) {
	raw := f.raw("stop")
	if raw == nil {
		return nil
	}
	values := []json.RawMessage{raw}
	if raw[0] == '[' {
		values = f.list("stop", maxStops)
	}
	for _, value := range values {
		var text string
		if string(value) == "null" || json.Unmarshal(value, &text) != nil {
			f.fail("stop", "%s is not a string", shown(value))
		} else if text == "" {
			f.fail("stop", "a stop string is empty")
		} else if len(text) > maxStopBytes {
			f.fail("stop", "a stop string of %d bytes, at most %d", len(text), maxStopBytes)
		}
		stop = append(stop, text)
	}
	return stop
}

// readTop reads a number of log-probabilities beside each token's own.
func readTop(f *fields, name string, otherwise int64) int {
	return int(f.integer(name, 0, maxTop, otherwise))
}
