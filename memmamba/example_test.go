package memmamba_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mmrun/mmrun/memmamba"
)

// Continue a text of token ids, token by token.
func Example() {
	m, err := memmamba.Open("../testdata/golden/memmamba-priority", memmamba.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewState()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	options := memmamba.GenerateOptions{
		MaxTokens: 5,
		Sample:    memmamba.SampleOptions{Temperature: 0.7, TopK: 40, Seed: 1},
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
	m, err := memmamba.Open("../testdata/golden/mamba-tiny", memmamba.Options{Chunk: 64})
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
