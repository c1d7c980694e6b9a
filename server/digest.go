package server

import "github.com/mmrun/mmrun/engine"

// A trace is where a state stands in its sequence.
type trace struct {
	at  int64         // tokens
	sum engine.Digest // of them
}

// traceOf is where a state stands.
func traceOf(s *engine.State) trace { return trace{s.Position(), s.Digest()} }

// A saved is a state as bytes, which go on living when the device does not.
type saved struct {
	trace
	data []byte // of MarshalBinary; nil is the beginning of all sequences
}
