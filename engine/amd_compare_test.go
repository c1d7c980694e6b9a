package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// amdNumbers are the columns of a table by RADV's names for them.
var amdNumbers = []string{"VGPRs", "SGPRs", "Spilled VGPRs", "Spilled SGPRs", "LDS size", "Scratch size", "Code size"}

// amdRows reads a table: the line of the compiler, and the numbers of every pipeline by its kernel and
// constants.
func amdRows(table string) (compiler string, rows map[string][]int) {
	rows = map[string][]int{}
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(fields) != 2+len(amdNumbers) {
			if i == 0 {
				compiler = line
			}
			continue
		}
		var numbers []int
		for _, f := range fields[2:] {
			n, err := strconv.Atoi(f)
			if err != nil {
				n = -1
			}
			numbers = append(numbers, n)
		}
		rows[fields[0]+" "+fields[1]] = numbers
	}
	return compiler, rows
}

// compareAMD says what of a table is not as it should be.
func compareAMD(got, want string) (bad []string) {
	gotCompiler, gotRows := amdRows(got)
	wantCompiler, wantRows := amdRows(want)
	if len(gotRows) == 0 {
		return []string{"no pipelines"}
	}
	for _, kernel := range slices.Sorted(maps.Keys(gotRows)) {
		numbers, old := gotRows[kernel], wantRows[kernel]
		if old == nil {
			bad = append(bad, fmt.Sprintf("%s is not in the table", kernel))
			old = make([]int, len(numbers)) // a new pipeline must not spill either
		}
		for i, name := range amdNumbers {
			spill := strings.HasPrefix(name, "Spilled") || name == "Scratch size"
			switch {
			case spill && numbers[i] > old[i]:
				bad = append(bad, fmt.Sprintf("%s: %s %d, was %d", kernel, name, numbers[i], old[i]))
			case wantRows[kernel] != nil && gotCompiler == wantCompiler && numbers[i] != old[i]:
				bad = append(bad, fmt.Sprintf("%s: %s %d, the table has %d", kernel, name, numbers[i], old[i]))
			}
		}
	}
	for _, kernel := range slices.Sorted(maps.Keys(wantRows)) {
		if gotRows[kernel] == nil {
			bad = append(bad, fmt.Sprintf("%s is in the table and made by no model", kernel))
		}
	}
	return bad
}

// TestCompareAMD: what a table must fail for, and what it must not.
func TestCompareAMD(t *testing.T) {
	const head, other = "# radv Mesa 22.3.6, NAVI21\n", "# radv Mesa 25.0.0, NAVI21\n"
	const a, spilled, more = "gemm.f32.ssbo [1,8] 128 40 0 0 0 0 900\n", "gemm.f32.ssbo [1,8] 128 40 4 0 0 16 900\n", "gemm.f32.ssbo [1,8] 130 40 0 0 0 0 900\n"
	const b = "conv.ssbo [4,16] 30 20 0 0 0 0 300\n"
	for _, test := range []struct {
		name, got, want string
		says            []string
	}{
		{"same", head + a + b, head + b + a, nil},
		{"registers", head + more, head + a, []string{"gemm.f32.ssbo [1,8]: VGPRs 130, the table has 128"}},
		{"registers of another compiler", other + more, head + a, nil},
		{"spill", head + spilled, head + a, []string{"gemm.f32.ssbo [1,8]: Spilled VGPRs 4, was 0", "gemm.f32.ssbo [1,8]: Scratch size 16, was 0"}},
		{"spill of another compiler", other + spilled, head + a, []string{"gemm.f32.ssbo [1,8]: Spilled VGPRs 4, was 0", "gemm.f32.ssbo [1,8]: Scratch size 16, was 0"}},
		{"known spill", head + spilled, head + spilled, nil},
		{"fewer spills of another compiler", other + a, head + spilled, nil},
		{"new kernel", head + a + b, head + a, []string{"conv.ssbo [4,16] is not in the table"}},
		{"old kernel", head + a, head + a + b, []string{"conv.ssbo [4,16] is in the table and made by no model"}},
		{"nothing", head, head + a, []string{"no pipelines"}},
	} {
		if got := compareAMD(test.got, test.want); !slices.Equal(got, test.says) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.says)
		}
	}
}
