package config

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/mmrun/mmrun/internal/bounded"
)

// TestPlain: what Python writes becomes JSON, and texts stay as they are.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 257.0, "b": [-3.00, 1.5, 1e-05, 2.0e3, 10]}`: `{"a": 257, "b": [-3, 1.5, 1e-05, 2.0e3, 10]}`,
		`{"a": [0.0, Infinity, -Infinity, NaN]}`:            `{"a": [0, {"__float__":"Infinity"}, {"__float__":"-Infinity"}, {"__float__":"NaN"}]}`,
		`{"Infinity": "NaN, 1.0 and \" Infinity \\"}`:       `{"Infinity": "NaN, 1.0 and \" Infinity \\"}`,
		`{"a": "cut \`: `{"a": "cut \`,
		`-`:            `-`,
		`[1.0`:         `[1`,
	} {
		if got := string(Plain([]byte(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestDecodeAsPython: whole numbers with a fraction of 0, keys in their exact case, within objects, too.
func TestDecodeAsPython(t *testing.T) {
	type inner struct {
		Size int `json:"size"`
	}
	var got struct {
		inner
		Count int     `json:"count"`
		Rate  float64 `json:"rate"`
		Part  *inner  `json:"part"`
	}
	data := `{"size": 3.0, "Size": 4, "SIZE": 5, "count": 257.0, "Count": NaN, "rate": 2.0, "part": {"Size": 7, "size": 6}, "x": [Infinity]}`
	if err := Decode([]byte(data), &got); err != nil {
		t.Fatal(err)
	}
	if got.Size != 3 || got.Count != 257 || got.Rate != 2 || got.Part.Size != 6 {
		t.Errorf("%+v", got)
	}
	if err := Decode([]byte(`{"count": 257.5}`), &got); err == nil || err.Error() != "count: 257.5 is not a whole number of 64 bits" {
		t.Errorf("got %v", err)
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[string]float64{`1.5`: 1.5, `"Infinity"`: math.Inf(1), `{"__float__": "-Infinity"}`: math.Inf(-1)} {
		if got, err := Number([]byte(in)); err != nil || got != want {
			t.Errorf("%s: got %v %v", in, got, err)
		}
	}
	for _, in := range []string{`"NaN"`, `{"__float__": "NaN"}`, `[]`, `"one"`} {
		if _, err := Number([]byte(in)); err == nil {
			t.Errorf("%s is a number", in)
		}
	}
}

// TestWrite: what is written again is what was read.
func TestWrite(t *testing.T) {
	keys, err := Keys([]byte(`{"b": {"__float__": "Infinity"}, "a": [0.25, Infinity], "c": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Write(keys)
	if want := "{\n  \"a\": [\n    0.25,\n    Infinity\n  ],\n  \"b\": Infinity,\n  \"c\": \"x\"\n}\n"; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

// FuzzPlain: sound JSON means the same afterwards, and Plain changes nothing the second time.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(`{"a": 257.0, "b": [-3.00, 1.5e2, NaN, -Infinity], "c\"": "\\"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var plain []byte
		bounded.Run(t, len(data), func() { plain = Plain(data) })
		if again := Plain(plain); !bytes.Equal(again, plain) {
			t.Fatalf("%q became %q and then %q", data, plain, again)
		}
		if json.Valid(data) && !json.Valid(plain) {
			t.Fatalf("%q became %q", data, plain)
		}
		var into struct {
			A int            `json:"a"`
			B map[string]any `json:"b"`
		}
		_ = Decode(data, &into) // no panic, whatever it says
	})
}
