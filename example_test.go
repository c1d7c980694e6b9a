package mmrun_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/sample"
)

// Continue a text.
func Example() {
	m, err := mmrun.Open("models/novels-memmamba", mmrun.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	options := mmrun.GenerateOptions{MaxTokens: 100, Stop: []string{" "}} // of one word
	for text, err := range s.Generate(context.Background(), "Once upon a ti", options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(text)
	}
	fmt.Printf("|%s\n", s.Finish())
	// Output: me|stop
}

// Branch a text and go on with each branch by itself.
func ExampleSession_Fork() {
	m, err := mmrun.Open("models/novels-memmamba", mmrun.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	options := mmrun.GenerateOptions{MaxTokens: 20, Sample: sample.Options{Temperature: 0.8, TopK: 40, Seed: 1}}
	for _, err := range s.Generate(context.Background(), "He opened the door", options) {
		if err != nil {
			log.Fatal(err)
		}
	}
	branch, err := s.Fork()
	if err != nil {
		log.Fatal(err)
	}
	defer branch.Close()
	for _, err := range branch.Generate(context.Background(), " and closed it", options) {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(s.Position(), "tokens, and", branch.Position(), "in the branch")
	// Output: 38 tokens, and 72 in the branch
}

// Keep a text and go on with it later, in another process if need be.
func ExampleSession_MarshalBinary() {
	m, err := mmrun.Open("models/novels-memmamba", mmrun.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	read := mmrun.GenerateOptions{MaxTokens: 0} // only reads the prompt
	for _, err := range s.Generate(context.Background(), "The ship sailed at dawn.", read) {
		if err != nil {
			log.Fatal(err)
		}
	}
	saved, err := s.MarshalBinary() // a file of its own
	if err != nil {
		log.Fatal(err)
	}

	again, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	if err := again.UnmarshalBinary(saved); err != nil {
		log.Fatal(err)
	}
	for _, err := range again.Generate(context.Background(), "", mmrun.GenerateOptions{MaxTokens: 10}) {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(again.Position(), "tokens")
	// Output: 34 tokens
}

// Continue several texts together, so that the weights are read once for all of them. Requests may come at any time.
func ExampleModel_scheduler() {
	m, err := mmrun.Open("models/novels-memmamba", mmrun.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	scheduler, err := m.NewScheduler(engine.SchedulerOptions{Places: 8})
	if err != nil {
		log.Fatal(err)
	}
	defer scheduler.Close()
	var streams []*engine.Stream
	for _, prompt := range []string{"Once upon a ti", "He did not say anyt"} {
		ids, err := m.Tokenizer().Encode(prompt)
		if err != nil {
			log.Fatal(err)
		}
		stream, err := scheduler.Submit(context.Background(), engine.Request{
			Prompt: ids, Options: engine.GenerateOptions{MaxTokens: 5}, LogProbs: -1,
		})
		if err != nil {
			log.Fatal(err)
		}
		streams = append(streams, stream)
	}
	for _, stream := range streams {
		text := mmrun.NewText(m.Tokenizer(), nil)
		for {
			token, err := stream.Next(context.Background())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				log.Fatal(err)
			}
			text.Add(token.ID)
		}
		text.End(5, false, false)
		fmt.Printf("%d tokens, %s\n", len(text.Tokens), text.Finish)
	}
	// Output:
	// 5 tokens, length
	// 5 tokens, length
}
