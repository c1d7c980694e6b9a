package main

import (
	"encoding/json"
	"fmt"
	"math"
)

// tolerance is the pair of limits of |got - want| <= atol + rtol·|want|.
type tolerance struct{ atol, rtol float64 }

// allows is false for a NaN on either side, and for an infinity unless both are the same.
func (t tolerance) allows(got, want float32) bool {
	d := math.Abs(float64(got) - float64(want))
	return got == want || !math.IsInf(d, 0) && d <= t.atol+t.rtol*math.Abs(float64(want))
}

// check compares one tensor of a golden with what the engine made, piece by piece.
type check struct {
	name      string
	tolerance tolerance
	exact     bool      // integers: how far two ids are apart says nothing
	columns   int       // numbers in a row
	units     [2]string // what a row and a number in it are called: "token", "logit"

	values, out int     // compared, and how many of them are out of tolerance
	largest     float64 // error; NaN as soon as one is
	sum         float64 // of errors
	first       string  // where and what was first out of tolerance
}

// compare takes the next values, in order.
func (c *check) compare(got, want []float32) {
	for i := range want {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if got[i] == want[i] {
			d = 0 // infinities of one sign are equal
		}
		if !c.tolerance.allows(got[i], want[i]) {
			c.miss(c.values+i, got[i], want[i])
		}
		c.sum += d
		if !(d <= c.largest) {
			c.largest = d
		}
	}
	c.values += len(want)
}

// compareInts takes the next integers, which must be equal.
func (c *check) compareInts(got, want []int32) {
	c.exact = true
	for i := range want {
		if got[i] != want[i] {
			c.miss(c.values+i, got[i], want[i])
		}
	}
	c.values += len(want)
}

func (c *check) miss(at int, got, want any) {
	if c.out++; c.out > 1 {
		return
	}
	where := fmt.Sprintf("%s %d", c.units[0], at/c.columns)
	if c.units[1] != "" {
		where += fmt.Sprintf(", %s %d", c.units[1], at%c.columns)
	}
	c.first = fmt.Sprintf("%s: got %v, want %v", where, got, want)
}

// fail records a difference that leaves nothing to compare number by number.
func (c *check) fail(format string, args ...any) {
	c.out++
	c.first = fmt.Sprintf(format, args...)
}

func (c *check) ok() bool { return c.out == 0 }

func (c *check) mean() float64 {
	if c.values == 0 {
		return 0
	}
	return c.sum / float64(c.values)
}

// checkTable is the checks for a person.
func checkTable(checks []*check) string {
	t := newTable("check", ">values", ">max error", ">mean error", ">out of tolerance", "result", "first out of tolerance")
	for _, c := range checks {
		largest, mean, result := fmt.Sprintf("%.2e", c.largest), fmt.Sprintf("%.2e", c.mean()), "ok"
		if c.exact || c.values == 0 {
			largest, mean = "", ""
		}
		if !c.ok() {
			result = "FAIL"
		}
		t.add(c.name, fmt.Sprint(c.values), largest, mean, fmt.Sprint(c.out), result, c.first)
	}
	return t.String()
}

// checkReport is one check in --json.
type checkReport struct {
	Name      string  `json:"name"`
	OK        bool    `json:"ok"`
	Values    int     `json:"values"`
	Out       int     `json:"out_of_tolerance"`
	MaxError  finite  `json:"max_error"`
	MeanError finite  `json:"mean_error"`
	First     *string `json:"first,omitempty"`
}

// finite is a number that JSON can hold, or null.
type finite float64

// MarshalJSON writes null for NaN and infinities.
func (f finite) MarshalJSON() ([]byte, error) {
	if v := float64(f); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

func reportChecks(checks []*check) []checkReport {
	reports := make([]checkReport, len(checks))
	for i, c := range checks {
		reports[i] = checkReport{c.name, c.ok(), c.values, c.out, finite(c.largest), finite(c.mean()), nil}
		if !c.ok() {
			reports[i].First = &c.first
		}
	}
	return reports
}
