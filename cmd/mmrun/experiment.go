package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mmrun/mmrun/internal/experiment/stats"
)

// number is a float64 that JSON prints as null where it has no word for it.
type number float64

// MarshalJSON writes the number, or null for what is infinite or no number.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func numbers(values []float64) []number {
	out := make([]number, len(values))
	for i, v := range values {
		out[i] = number(v)
	}
	return out
}

// figure is an estimate as --json prints it; the error is left out where it is not known.
type figure struct {
	Value number  `json:"value"`
	Error *number `json:"error,omitempty"`
}

func figureOf(e stats.Estimate) figure {
	f := figure{Value: number(e.Value)}
	if !math.IsNaN(e.Error) {
		f.Error = new(number(e.Error))
	}
	return f
}

// cells are the value and its error for a table.
func (f figure) cells(digits int) []string {
	cells := []string{strconv.FormatFloat(float64(f.Value), 'f', digits, 64), ""}
	if f.Error != nil {
		cells[1] = strconv.FormatFloat(float64(*f.Error), 'f', digits, 64)
	}
	return cells
}

// wholeNumbers reads numbers separated by commas, none below least or above most; flag is what they were given to.
// Repetitions are refused: they would only cost time.
func wholeNumbers(flag, list string, least, most int) ([]int, error) {
	var numbers []int
	seen := map[int]bool{}
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if errors.Is(err, strconv.ErrRange) {
			return nil, usagef("%s: %q is out of range", flag, field)
		}
		if err != nil {
			return nil, usagef("%s: %q is not a whole number", flag, field)
		}
		if err := within(flag, n, least, most); err != nil {
			return nil, err
		}
		if seen[n] {
			return nil, usagef("%s: %d is there twice", flag, n)
		}
		seen[n] = true
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// spaced writes a whole number with its thousands apart.
func spaced(n int64) string {
	digits := fmt.Sprint(n)
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), " ")
}
