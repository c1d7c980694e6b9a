package main

import (
	"math"
	"testing"
)

func TestCheck(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		name      string
		got, want []float32
		out       int
		first     string
	}{
		{"equal", []float32{1, -2}, []float32{1, -2}, 0, ""},
		{"within atol", []float32{0.09}, []float32{0}, 0, ""},
		{"within rtol", []float32{109}, []float32{100}, 0, ""},
		{"beyond", []float32{0, 0, 0, 0.2}, []float32{0, 0, 0, 0}, 1, "token 1, logit 1: got 0.2, want 0"},
		{"first of two", []float32{0, 5, 6, 0}, []float32{0, 0, 0, 0}, 2, "token 0, logit 1: got 5, want 0"},
		{"NaN got", []float32{nan}, []float32{0}, 1, "token 0, logit 0: got NaN, want 0"},
		{"NaN wanted", []float32{nan}, []float32{nan}, 1, "token 0, logit 0: got NaN, want NaN"},
		{"infinity", []float32{inf}, []float32{inf}, 0, ""},
		{"infinity wanted", []float32{0}, []float32{inf}, 1, "token 0, logit 0: got 0, want +Inf"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &check{tolerance: tolerance{0.1, 0.1}, columns: 2, units: [2]string{"token", "logit"}}
			for i := range test.got { // piece by piece
				c.compare(test.got[i:i+1], test.want[i:i+1])
			}
			if c.out != test.out || c.first != test.first {
				t.Errorf("%d out of tolerance, first %q; want %d, %q", c.out, c.first, test.out, test.first)
			}
		})
	}
}

func TestCheckErrors(t *testing.T) {
	c := &check{tolerance: tolerance{1, 0}, columns: 1, units: [2]string{"note"}}
	c.compare([]float32{1, 2}, []float32{1.5, 1})
	if c.largest != 1 || c.mean() != 0.75 || !c.ok() {
		t.Errorf("max %g, mean %g, ok %t; want 1, 0.75, true", c.largest, c.mean(), c.ok())
	}
	c.compare([]float32{float32(math.NaN())}, []float32{1})
	if !math.IsNaN(c.largest) || c.ok() {
		t.Errorf("max %g, ok %t after a NaN", c.largest, c.ok())
	}
}
