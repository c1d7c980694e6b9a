package ref

import "slices"

// Note is what a token leaves in a layer's pool.
type Note struct {
	Position   int64     // of its token, counted from the sequence's first
	Importance float32   // what NoteScore judged it worth, in (0, 1)
	Summary    []float32 // (S)
}

// What Commit does with a full pool.
const (
	FIFO     = "fifo"
	Priority = "priority"
)

// Commit returns the pool after the pending notes of a window, in token order, have been put into
// it (MemMamba's state pool, arXiv 2510.03279, which names both policies; that a window's notes
// wait for its end is ours, with a window of one token it is the paper's rule). While there is
// room for P notes, a note is appended. In a full pool
//   - FIFO: the oldest note leaves and the new one is appended;
//   - Priority: the least important note, the oldest among equals, leaves if the new one is
//     strictly more important, which is then appended; otherwise the new one is dropped.
//
// The pool is in order of entry, oldest first; the caller's slices are left as they are.
func Commit(pool, pending []Note, policy string, P int) []Note {
	pool = slices.Clone(pool)
	for _, note := range pending {
		leaves := 0
		switch {
		case len(pool) < P:
			pool = append(pool, note)
			continue
		case policy == Priority:
			for i := range pool {
				if pool[i].Importance < pool[leaves].Importance {
					leaves = i
				}
			}
			if note.Importance <= pool[leaves].Importance {
				continue
			}
		}
		pool = append(slices.Delete(pool, leaves, leaves+1), note)
	}
	return pool
}

// Room is how many notes a pool has room for, which may grow with a sequence (ours; the paper names growing
// pools as future work).
type Room struct{ First, Growth, Most int }

// At returns min(Most, First + Growth·floor(log2 w)) of the pool in window w, and First in the first.
func (r Room) At(w int64) int {
	n := r.First
	for ; w > 1; w /= 2 {
		n += r.Growth
	}
	return min(n, r.Most)
}

// Windows returns the pool in every window that a pass over notes touches, W tokens each, and what is
// pending after it. The pass's first token is at the position first, pending are the notes of the window
// before it or of its own, pass those of its tokens, tokens long.
func Windows(pool, pending, pass []Note, policy string, room Room, W int, first, tokens int64) (pools [][]Note, after []Note) {
	for at := first; at < first+tokens; at++ {
		if at%int64(W) == 0 {
			pool, pending = Commit(pool, pending, policy, room.At(at/int64(W))), nil
		}
		if at == first || at%int64(W) == 0 {
			pools = append(pools, pool)
		}
		for len(pass) > 0 && pass[0].Position == at {
			pending, pass = append(slices.Clip(pending), pass[0]), pass[1:]
		}
	}
	return pools, pending
}
