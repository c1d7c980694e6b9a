package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// defaultDrain is how long what runs may take to end.
const defaultDrain = 30 * time.Second

// parseBytes reads a size such as 1GiB, 500MB, 4096 or 0.
func parseBytes(text string) (int64, error) {
	units := []struct {
		name string
		size float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
		{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1}, {"", 1}}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(n >= 0) || n*unit.size > math.MaxInt64/2 {
			break
		}
		return int64(n * unit.size), nil
	}
	return 0, fmt.Errorf("%q is not a size such as 1GiB", text)
}
