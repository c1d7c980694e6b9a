package engine

import (
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/internal/bounded"
	"github.com/mmrun/mmrun/sample"
)

// TestGeneration: what is said counts, what is not does not.
func TestGeneration(t *testing.T) {
	before := sample.Options{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepeatPenalty: 1}
	for text, want := range map[string]struct {
		o   sample.Options
		eos []int32
	}{
		`{}`: {before, nil},
		`{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": 2, "transformers_version": "4.40", "max_length": 20}`: {before, []int32{2}},
		`{"eos_token_id": [2, 7], "do_sample": true, "temperature": 0.6, "top_k": 50.0, "top_p": 0.9, "min_p": null}`:          {sample.Options{Temperature: 0.6, TopK: 50, TopP: 0.9, MinP: 0.05, RepeatPenalty: 1}, []int32{2, 7}},
		`{"eos_token_id": null, "do_sample": false, "temperature": 0.6, "repetition_penalty": 1.1, "Top_K": 3}`:                {sample.Options{TopK: 40, TopP: 0.95, MinP: 0.05, RepeatPenalty: 1.1}, nil},
		`{"top_p": 0}`: {sample.Options{Temperature: 0.8, TopK: 40, TopP: math.SmallestNonzeroFloat64, MinP: 0.05, RepeatPenalty: 1}, nil},
	} {
		g, err := parseGeneration([]byte(text))
		got := before
		g.Sampling.Apply(&got)
		same := got.Temperature == want.o.Temperature && got.TopK == want.o.TopK && got.TopP == want.o.TopP && got.MinP == want.o.MinP && got.RepeatPenalty == want.o.RepeatPenalty
		if err != nil || !same || !slices.Equal(g.EOS, want.eos) {
			t.Errorf("%s: %+v %v %v", text, got, g.EOS, err)
		}
	}
	penalty, plain := 1.1, before
	Sampling{RepeatPenalty: &penalty}.Apply(&plain)
	if plain.RepeatLast != -1 || before.RepeatLast != 0 {
		t.Errorf("the penalty sees the last %d tokens, without one %d", plain.RepeatLast, before.RepeatLast)
	}
	for text, want := range map[string]string{
		`{"temperature": -1}`:       "temperature -1 is not 0 or more",
		`{"temperature": Infinity}`: "temperature: Infinity where a number is expected",
		`{"top_p": 1.5}`:            "top_p 1.5 is not between 0 and 1",
		`{"top_k": -1}`:             "top_k -1 is negative",
		`{"repetition_penalty": 0}`: "repetition_penalty 0 is not 0.01 or more",
		`{"eos_token_id": "</s>"}`:  "eos_token_id is neither a token's id nor a list of them",
		`{"do_sample": 1}`:          "do_sample: a number where true or false is expected",
	} {
		if _, err := parseGeneration([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if got := joined([]int32{0, 5}, []int32{5, 7, 7}); !slices.Equal(got, []int32{0, 5, 7}) {
		t.Errorf("joined to %v", got)
	}
}

// FuzzGeneration reads a generation_config.json, whatever it says: what is taken a sampler takes, too.
func FuzzGeneration(f *testing.F) {
	f.Add([]byte(`{"eos_token_id": [2, 7], "do_sample": true, "temperature": 0.6, "top_k": 50.0, "top_p": 0.9, "min_p": null, "repetition_penalty": 1.1}`))
	f.Add([]byte(`{"eos_token_id": 2, "do_sample": false, "top_p": 0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded.Run(t, len(data), func() {
			g, err := parseGeneration(data)
			if err != nil {
				return
			}
			var o sample.Options
			if g.Sampling.Apply(&o); o.Validate() != nil {
				t.Fatalf("%s: %v", data, o.Validate())
			}
		})
	})
}
