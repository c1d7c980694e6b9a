package engine_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mmrun/mmrun/checkpoint"
	_ "github.com/mmrun/mmrun/checkpoint/safetensors" // models that lie in such files
	"github.com/mmrun/mmrun/engine"
	_ "github.com/mmrun/mmrun/memmamba" // the architectures to run
	"github.com/mmrun/mmrun/sample"
)

// Continue a text of token ids, token by token.
func Example() {
	src, err := checkpoint.Open("../testdata/golden/memmamba-priority")
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	m, err := engine.Open(src, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewState()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	options := engine.GenerateOptions{
		MaxTokens: 5,
		Sample:    sample.Options{Temperature: 0.7, TopK: 40, Seed: 1},
	}
	var tokens []int32
	for token, err := range m.Generate(context.Background(), s, []int32{10, 20, 30}, options) {
		if err != nil {
			log.Fatal(err)
		}
		tokens = append(tokens, token) // or show its text
	}
	fmt.Println(len(tokens), "tokens more,", s.Position(), "in all")
	// Output: 5 tokens more, 8 in all
}

// Keep a sequence and go on with it later, in another process if need be.
func ExampleState_MarshalBinary() {
	m, err := openDir("../testdata/golden/mamba-tiny", engine.Options{Chunk: 64})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewState()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if _, err := m.Forward(context.Background(), s, []int32{1, 2, 3}); err != nil {
		log.Fatal(err)
	}
	saved, err := s.MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	again, err := m.NewState()
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	if err := again.UnmarshalBinary(saved); err != nil {
		log.Fatal(err)
	}
	logits, err := m.Forward(context.Background(), again, []int32{4})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Position(), "tokens,", len(logits), "logits for the next")
	// Output: 4 tokens, 256 logits for the next
}
