package ref

import "slices"

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
