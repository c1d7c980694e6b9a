package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// memoryRig is the memory of some layers on the device.
func memoryRig(r *rig, L, P, W, S int) (Notes, Pending) {
	zero := func(name string, rows, cols int) graph.Value {
		return r.value(name, rows, cols, make([]float32, rows*cols))
	}
	return Notes{zero("pool", L*P, S), zero("importance", L, P), zero("position", L, P), 1},
		Pending{zero("pending", L*W, S), zero("noted", L, W), 1}
}

// poolOf reads layer l's pool. It fills the last places, oldest first.
func poolOf(r *rig, l, P, S int) []ref.Note {
	r.t.Helper()
	pool, importance, position := r.read("pool"), r.read("importance"), r.read("position")
	var notes []ref.Note
	for i := l * P; i < (l+1)*P; i++ {
		if importance[i] > 0 {
			notes = append(notes, ref.Note{Position: int64(math.Float32bits(position[i])), Importance: importance[i], Summary: pool[i*S : (i+1)*S]})
		} else if len(notes) > 0 {
			r.t.Fatalf("layer %d: place %d is empty behind a note", l, i-l*P)
		}
	}
	return notes
}

func sameNote(a, b ref.Note) bool {
	return a.Position == b.Position && a.Importance == b.Importance && slices.Equal(a.Summary, b.Summary)
}

// someNotes makes notes of two tokens in three, their importances with ties. It returns them with the
// rows that a kernel would leave, a row a token.
func someNotes(rng *rand.Rand, first int64, tokens, S int) (notes []ref.Note, summaries, importances []float32) {
	summaries, importances = make([]float32, tokens*S), make([]float32, tokens)
	for i := range summaries {
		summaries[i] = rng.Float32()
	}
	for i := range importances {
		if rng.IntN(3) > 0 {
			importances[i] = float32(1+rng.IntN(8)) / 8
			notes = append(notes, ref.Note{Position: first + int64(i), Importance: importances[i], Summary: summaries[i*S : (i+1)*S]})
		}
	}
	return notes, summaries, importances
}

// A sequence feeds passes to the kernels and to the reference.
type sequence struct {
	*rig
	notes        Notes
	pending      Pending
	policy       string
	room         ref.Room
	L, P, W, S   int
	access       graph.Access
	position     int64
	pools, waits [][]ref.Note // of each layer
}

// pass takes tokens with notes of their own through the kernels, and compares every window's pools.
func (s *sequence) pass(tokens, room int) {
	s.t.Helper()
	params := make([]uint32, ParamsBytes/4)
	params[0], params[1], params[4] = uint32(tokens), 1, uint32(s.position)
	s.words(ParamsSlot, params)
	s.g = graph.NewAccess(device, s.access)
	log := OpenLog(s.g, s.notes, s.pending, 1, room)
	rows := log.Importances.Cols
	want, fresh := make([][][]ref.Note, s.L), s.own(log, tokens)
	pools := NewPools(s.g, log, s.P)
	for l := range s.L { // as a pass does, layer by layer
		FillPools(s.g, log, pools, Room{s.room.First, s.room.Growth}, s.policy == "priority", l, l+1)
		want[l], s.waits[l] = ref.Windows(s.pools[l], s.waits[l], fresh[l], s.policy, s.room, s.W, s.position, int64(tokens))
		s.pools[l] = want[l][len(want[l])-1]
	}
	Commit(s.g, log, pools, s.pending, s.notes)
	s.value("log", log.Summaries.Rows, s.S, make([]float32, log.Summaries.Rows*s.S))
	s.g.Copy(s.g.Slot("log", 0, log.Summaries.Rows, s.S), log.Summaries)
	table := s.run(pools.Value)
	summaries := s.read("log")
	for w := range want[0] {
		for l := range s.L {
			var got [][]float32
			for _, row := range table[(w*s.L+l)*s.P:][:s.P] {
				if i := math.Float32bits(row); i != math.MaxUint32 {
					if int(i)/rows != l {
						s.t.Fatalf("window %d, layer %d: row %d of %d a layer", w, l, i, rows)
					}
					got = append(got, summaries[int(i)*s.S:][:s.S])
				}
			}
			if !slices.EqualFunc(got, want[l][w], func(a []float32, b ref.Note) bool { return slices.Equal(a, b.Summary) }) {
				s.t.Fatalf("position %d, window %d, layer %d: %d notes, want %d: %v", s.position, w, l, len(got), len(want[l][w]), want[l][w])
			}
		}
	}
	s.position += int64(tokens)
	s.check()
}

// own puts the pass's notes into the log.
func (s *sequence) own(log Log, tokens int) [][]ref.Note {
	fresh := make([][]ref.Note, s.L)
	room := log.Importances.Cols - log.Held
	if room == 0 {
		return fresh
	}
	for l := range s.L {
		notes, summaries, importances := someNotes(s.rng, s.position, tokens, s.S)
		fresh[l] = notes
		s.fill(log.Of(l), fmt.Sprint("own", l), room, append(summaries, make([]float32, (room-tokens)*s.S)...), append(importances, make([]float32, room-tokens)...))
	}
	return fresh
}

// fill has the kernel that takes notes write summaries of given importances.
func (s *sequence) fill(to Places, name string, room int, summaries, importances []float32) {
	x := make([]float32, room*Pad) // what scores the importance's logit
	for i, I := range importances {
		switch {
		case I == 1:
			x[i*Pad] = 100
		case I > 0:
			x[i*Pad] = float32(math.Log(float64(I)) - math.Log1p(-float64(I)))
		default:
			x[i*Pad] = -1000
		}
	}
	score := s.table(1, 2*Pad, append([]float32{1}, make([]float32, 2*Pad-1)...))
	none := Norm{Width: 1 << 60, Eps: 1} // scales by 1 / sqrt(0 + 1)
	Note(s.g, s.value(name+"x", room, Pad, x), s.value(name, room, s.S, summaries), Scorer{score, none, 1e-9}, to)
}

// check compares what the sequence carries from pass to pass.
func (s *sequence) check() {
	s.t.Helper()
	near := func(a, b ref.Note) bool {
		return a.Position == b.Position && math.Abs(float64(a.Importance-b.Importance)) < 1e-6 && slices.Equal(a.Summary, b.Summary)
	}
	for l := range s.L {
		if got := poolOf(s.rig, l, s.P, s.S); !slices.EqualFunc(got, s.pools[l], near) {
			s.t.Fatalf("position %d, layer %d: pool %v, want %v", s.position, l, got, s.pools[l])
		}
		var got []ref.Note
		summaries, noted := s.read("pending"), s.read("noted")
		for i := range s.W {
			if at := l*s.W + i; noted[at] > 0 {
				got = append(got, ref.Note{Position: (s.position-1)/int64(s.W)*int64(s.W) + int64(i), Importance: noted[at], Summary: summaries[at*s.S : (at+1)*s.S]})
			}
		}
		if !slices.EqualFunc(got, s.waits[l], near) {
			s.t.Fatalf("position %d, layer %d: pending %v, want %v", s.position, l, got, s.waits[l])
		}
	}
}

// TestPools takes sequences through passes of all kinds: within a window, up to its end, from its
// start, through many of them, shorter than the program is made for; and follows the reference's pools
// in every window, in pools that grow and in others.
func TestPools(t *testing.T) {
	for _, access := range accesses {
		for _, policy := range []string{"fifo", "priority"} {
			for _, room := range rooms {
				for _, W := range []int{1, 3, 16, 100} {
					t.Run(fmt.Sprintf("%s/%s/%+v/W=%d", access, policy, room, W), func(t *testing.T) {
						const L, S = 2, 8
						s := &sequence{rig: newRig(t, access, 1, 1, 0, 0), access: access, policy: policy, room: room, L: L, P: room.Most, W: W, S: S,
							pools: make([][]ref.Note, L), waits: make([][]ref.Note, L)}
						s.notes, s.pending = memoryRig(s.rig, L, s.P, W, S)
						for _, pass := range [][2]int{{5, 5}, {1, 1}, {W, W}, {64, 70}, {130, 130}, {1, 9}, {2 * W, 2 * W}} {
							s.pass(pass[0], pass[1])
						}
					})
				}
			}
		}
	}
}

// rooms are those of pools of a fixed size, and of growing ones: slowly, at once, and further than a test goes.
var rooms = []ref.Room{{First: 1, Most: 1}, {First: 2, Most: 2}, {First: 7, Most: 7}, {First: 50, Most: 50}, {First: MaxPool, Most: MaxPool},
	{First: 3, Most: 9}, {First: 1, Growth: 1, Most: 6}, {First: 3, Growth: 4, Most: 21}, {First: 2, Growth: MaxPool, Most: 9}, {First: 5, Growth: 30, Most: MaxPool}}

// TestCommit commits window after window without tokens, as happens between passes, importances with
// ties, and follows the reference's pools.
func TestCommit(t *testing.T) {
	for _, policy := range []string{"fifo", "priority"} {
		for _, room := range rooms {
			for _, size := range [][2]int{{1, 20}, {24, 14}, {65, 5}, {MaxWindow, 3}} {
				W, windows := size[0], size[1]
				t.Run(fmt.Sprintf("%s/%+v/W=%d", policy, room, W), func(t *testing.T) { testCommit(t, policy, room, W, windows) })
			}
		}
	}
}

func testCommit(t *testing.T, policy string, room ref.Room, W, windows int) {
	const L, S = 3, 8
	P := room.Most
	r := newRig(t, graph.Buffer, 1, 1, 0, 0)
	n, pending := memoryRig(r, L, P, W, S)
	pools, params := make([][]ref.Note, L), make([]uint32, ParamsBytes/4)
	for window := range windows {
		var summaries, noted []float32
		for l := range L {
			fresh, s, i := someNotes(r.rng, int64(window*W), W, S)
			summaries, noted = append(summaries, s...), append(noted, i...)
			pools[l] = ref.Commit(pools[l], fresh, policy, room.At(int64(window+1)))
		}
		params[0], params[1], params[4] = 1, 1, uint32((window+1)*W)
		r.words(ParamsSlot, params)
		r.words("pending", bits(summaries))
		r.words("noted", bits(noted))
		r.g = graph.NewAccess(device, graph.Buffer)
		commit(r, n, pending, Room{room.First, room.Growth}, policy == "priority")
		r.run(graph.Value{})
		for l := range L {
			if got := poolOf(r, l, P, S); !slices.EqualFunc(got, pools[l], sameNote) {
				t.Fatalf("window %d, layer %d: pool %v, want %v", window, l, got, pools[l])
			}
		}
		if slices.ContainsFunc(r.read("noted"), func(I float32) bool { return I != 0 }) {
			t.Fatalf("window %d: notes are still pending", window)
		}
	}
}

// commit commits what is pending.
func commit(r *rig, n Notes, pending Pending, room Room, priority bool) {
	log := OpenLog(r.g, n, pending, 1, 0)
	pools := NewPools(r.g, log, n.Importances.Cols)
	FillPools(r.g, log, pools, room, priority, 0, n.Importances.Rows)
	Commit(r.g, log, pools, pending, n)
}

// BenchmarkCommit commits a window of which every second token left a note to full pools. A commit
// empties the window, so that each run begins with a copy of it.
func BenchmarkCommit(b *testing.B) {
	for _, policy := range []string{"fifo", "priority"} {
		for _, size := range [][2]int{{paperW, paperP}, {1, paperP}, {MaxWindow, MaxPool}} {
			W, P := size[0], size[1]
			benchmark(b, fmt.Sprintf("%s/L=%d/W=%d/P=%d", policy, paperL, W, P), 1, func(r *rig) {
				n, pending := memoryRig(r, paperL, P, W, paperS)
				noted := r.random(paperL*W, 1)
				for i, I := range noted {
					noted[i] = max(I, 0)
				}
				full := r.value("window", paperL, W, noted)
				n.Importances = r.value("importance", paperL, P, slices.Repeat([]float32{0.5}, paperL*P))
				r.g.Copy(pending.Importances, full)
				commit(r, n, pending, Room{First: P}, policy == "priority")
			})
		}
	}
}

// BenchmarkPools finds the pools of one layer in every window of a pass of which every second token
// leaves a note.
func BenchmarkPools(b *testing.B) {
	const T = 512
	for _, policy := range []string{"fifo", "priority"} {
		for _, W := range []int{1, paperW} {
			benchmark(b, fmt.Sprintf("%s/T=%d/W=%d/P=%d", policy, T, W, paperP), T, func(r *rig) {
				n, pending := memoryRig(r, 1, paperP, W, paperS)
				log := OpenLog(r.g, n, pending, 1, T)
				score := r.table(1, 2*Pad, append([]float32{1}, make([]float32, 2*Pad-1)...))
				Note(r.g, r.value("x", T, Pad, r.random(T*Pad, 1)), r.value("notes", T, paperS, r.random(T*paperS, 1)), Scorer{score, Norm{Width: Pad, Eps: 1e-5}, 0.5}, log.Of(0))
				FillPools(r.g, log, NewPools(r.g, log, paperP), Room{First: paperP}, policy == "priority", 0, 1)
			})
		}
	}
}
