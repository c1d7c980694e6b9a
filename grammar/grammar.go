// Package grammar holds the text that a model writes to a grammar: one in GBNF, llama.cpp's notation, or one made of a
// JSON Schema. [Grammar.Constraint] says before every token which tokens may come next.
//
// A grammar becomes a machine over bytes with a stack of calls. It keeps every reading of the text so far that can
// still be completed, in a form in which readings share what they have in common, so that an ambiguous grammar costs
// no more than one place has readings. What it finds out about a place is kept, and the tokens of a vocabulary
// are looked up in a trie. No text that may begin leads where no token can follow, as long as the vocabulary has a
// token for every byte.
//
// All is bounded: the size of a grammar, how deep it nests a text ([MaxDepth]), and the work and memory for a token.
package grammar

import (
	"errors"
	"fmt"
)

// Bounds of what a grammar may ask for.
const (
	MaxSource = 1 << 20 // bytes of GBNF or of a JSON Schema
	MaxDepth  = 500     // calls of rules that are under way at a time: what would nest deeper is not allowed
	maxStates = 1 << 17 // of the machine
)

// ErrTooLarge is the error of a grammar or a schema beyond a bound.
var ErrTooLarge = errors.New("too large")

// ErrTooAmbiguous is the error of a text that has too many readings at a time.
var ErrTooAmbiguous = errors.New("the grammar has too many readings of this text")

// A Grammar says which texts may be written. Any number of goroutines may use it.
type Grammar struct {
	states  []state
	starts  []int32 // by rule: its first state
	names   []string
	need    []int32 // by state: how many calls it takes at least to end its rule
	classes [256]uint8
	bytes   []byte // by class: one of its bytes
	tokens  bool   // some states ask for tokens
}

// op says what an expression is.
type op uint8

const (
	opSeq    op = iota // subs one after the other; none is the empty text
	opAlt              // one of subs; none is no text at all
	opText             // the bytes of text
	opRunes            // one character of set
	opRepeat           // subs[0] from min to max times
	opRule             // what rule is
	opToken            // a token
	opGraph            // a way through graph from its node 0 to its node 1
)

// unlimited is the max of a repetition without one.
const unlimited = -1

// expr is a piece of a grammar.
type expr struct {
	op       op
	subs     []*expr
	text     string
	set      runeSet
	min, max int
	rule     int32
	token    tokenName
	graph    []link
}

// link is a way from one node of a graph to another.
type link struct {
	from, to int
	label    *expr
}

// tokenName is a token by its id or, with an id below 0, by its text; except means every token but that.
type tokenName struct {
	id     int32
	text   string
	except bool
}

// rules are those of a grammar while it is made.
type rules struct {
	names  []string
	bodies []*expr // nil while a rule is named but not there
	index  map[string]int32
}

// rule is the number of the rule of a name.
func (r *rules) rule(name string) int32 {
	if i, ok := r.index[name]; ok {
		return i
	}
	if r.index == nil {
		r.index = map[string]int32{}
	}
	i := int32(len(r.names))
	r.index[name] = i
	r.names = append(r.names, name)
	r.bodies = append(r.bodies, nil)
	return i
}

func seq(subs ...*expr) *expr    { return &expr{op: opSeq, subs: subs} }
func alt(subs ...*expr) *expr    { return &expr{op: opAlt, subs: subs} }
func text(s string) *expr        { return &expr{op: opText, text: s} }
func runes(set runeSet) *expr    { return &expr{op: opRunes, set: set} }
func call(rule int32) *expr      { return &expr{op: opRule, rule: rule} }
func graph(links []link) *expr   { return &expr{op: opGraph, graph: links} }
func optional(e *expr) *expr     { return repeat(e, 0, 1) }
func tooLarge(what string) error { return fmt.Errorf("%s: %w", what, ErrTooLarge) }

func repeat(e *expr, min, max int) *expr {
	return &expr{op: opRepeat, subs: []*expr{e}, min: min, max: max}
}
