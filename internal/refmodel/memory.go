package refmodel

import (
	"math"
	"slices"
)

// note is what a token leaves in a layer's pool (MemMamba, arXiv 2510.03279).
type note struct {
	position   int64
	importance float64
	summary    []float64
}

// Margin is the smallest distance of a run's hard decisions from falling the other way, infinite
// where none was taken. An engine in float32 can be held to the same decisions only when its
// rounding is well below.
type Margin struct {
	Note    float64 // |I_token - τ1|
	Read    float64 // |I_state - τ2|, and of layers before |I - τ3|
	Replace float64 // between importances that priority replacement compared, ties apart
	Ties    int     // priority replacement's decisions between equal importances
	// Notes and Reads count the decisions that were taken and those that fell to yes.
	Notes, NotesTaken, Reads, ReadsTaken int
}

func newMargin() Margin { return Margin{Note: math.Inf(1), Read: math.Inf(1), Replace: math.Inf(1)} }

// Min returns the smallest of the distances.
func (m Margin) Min() float64 { return min(m.Note, m.Read, m.Replace) }

// replaced records that two importances were compared.
func (m *Margin) replaced(a, b float64) {
	if a == b {
		m.Ties++
		return
	}
	m.Replace = min(m.Replace, math.Abs(a-b))
}

// openWindow commits what waits and decides which layers read in the window that begins.
func (s *State) openWindow() {
	c := s.model.Config
	reads, layerReads := make([]int, c.Layers), make([]int, c.Layers)
	for l := range s.layers {
		st, w := &s.layers[l], &s.model.layers[l]
		s.commit(st)
		st.token = nil
		if s.pos == 0 {
			continue
		}
		if s.decide(st, w.stateScore, w.stateScoreBias, c.StateThreshold) {
			reads[l] = 1
			st.token = w.token.project(st.pool)
		}
		if c.CrossLayer(l) && (!c.Triggered(l) || s.decide(st, w.layerScore, w.layerScoreBias, c.LayerThreshold)) {
			layerReads[l] = 1
		}
	}
	s.Reads, s.LayerReads = append(s.Reads, reads), append(s.LayerReads, layerReads)
	for l := range s.layers {
		s.layers[l].cross = nil
		if layerReads[l] == 1 {
			s.layers[l].cross = s.model.layers[l].cross.project(s.gather(l))
		}
	}
}

// decide says whether a layer's state scores above a threshold.
func (s *State) decide(st *layerState, weight []float64, bias, threshold float64) bool {
	c, score := s.model.Config, bias
	for e := range c.Inner {
		var sum float64
		for _, v := range st.h[e*c.State : (e+1)*c.State] {
			sum += v
		}
		score += weight[e] * sum / float64(c.State)
	}
	score = sigmoid(score)
	s.Margin.Reads++
	s.Margin.Read = min(s.Margin.Read, math.Abs(score-threshold))
	if score > threshold {
		s.Margin.ReadsTaken++
	}
	return score > threshold
}

// commit moves the pending notes into the pool, oldest first.
func (s *State) commit(st *layerState) {
	c := s.model.Config
	room := c.room(s.pos / int64(c.Window))
	for _, n := range st.pending {
		if len(st.pool) < room {
			st.pool = append(st.pool, n)
			continue
		}
		leaves := 0
		if c.Replacement == "priority" {
			for i := range st.pool {
				if st.pool[i].importance < st.pool[leaves].importance {
					leaves = i
				}
			}
			least := st.pool[leaves].importance
			s.Margin.replaced(n.importance, least)
			if n.importance <= least {
				continue
			}
			for i := range st.pool {
				if i != leaves {
					s.Margin.replaced(st.pool[i].importance, least)
				}
			}
		}
		st.pool = append(slices.Delete(slices.Clone(st.pool), leaves, leaves+1), n)
	}
	st.pending = nil
}

// takeNote is the Note Block: the token leaves a note when its importance is above τ1.
func (s *State) takeNote(l int, x []float64) {
	w, threshold := &s.model.layers[l], s.model.Config.NoteThreshold
	importance := sigmoid(dot(w.noteScore, x) + w.noteScoreBias)
	s.Margin.Notes++
	s.Margin.Note = min(s.Margin.Note, math.Abs(importance-threshold))
	if importance > threshold {
		s.Margin.NotesTaken++
		st := &s.layers[l]
		st.pending = append(st.pending, note{s.pos, importance, w.noteProj.mul(x, nil)})
	}
}

// recall adds to in what layer l remembers of x: of its own pool when it reads in this window, and
// of the layers before it in every period-th layer. What is remembered is of the window's start.
func (s *State) recall(l int, x, in []float64) {
	w, st := &s.model.layers[l], &s.layers[l]
	if len(st.token) > 0 {
		accumulate(in, w.token.fused(x, st.token))
	}
	if len(st.cross) > 0 {
		accumulate(in, w.cross.fused(x, st.cross))
	}
}

// gather returns the notes of the layers before layer l, as cross_layer_pooling says.
func (s *State) gather(l int) []note {
	c := s.model.Config
	sources := s.layers[max(0, l-c.Period):l]
	var out []note
	if c.Pooling == "concat" {
		for _, st := range sources {
			out = append(out, st.pool...)
		}
		return out
	}
	for j := range c.Most {
		var merged note
		count := 0.0
		for _, st := range sources {
			if j >= len(st.pool) {
				continue
			}
			n := st.pool[len(st.pool)-1-j]
			if count++; count == 1 {
				merged = note{importance: n.importance, summary: slices.Clone(n.summary)}
				continue
			}
			merged.importance = pooled(c.Pooling, merged.importance, n.importance)
			for i, v := range n.summary {
				merged.summary[i] = pooled(c.Pooling, merged.summary[i], v)
			}
		}
		if count == 0 {
			break
		}
		if c.Pooling == "mean" {
			merged.importance /= count
			for i := range merged.summary {
				merged.summary[i] /= count
			}
		}
		out = append(out, merged)
	}
	return out
}

// pooled takes one more number into a maximum or a sum.
func pooled(pooling string, a, b float64) float64 {
	if pooling == "max" {
		return max(a, b)
	}
	return a + b
}

// projected is a note as an attention sees it.
type projected struct {
	key, value []float64
	bias       float64 // ln I
}

func (a attention) project(notes []note) []projected {
	var out []projected
	for _, n := range notes {
		out = append(out, projected{a.k.mul(n.summary, nil), a.v.mul(n.summary, nil), math.Log(n.importance)})
	}
	return out
}

// fused returns F(c) of c = o · softmax(q·k/sqrt(S) + ln I) v over the notes, of which there is at
// least one.
func (a attention) fused(x []float64, notes []projected) []float64 {
	q := a.q.mul(x, nil)
	scores := make([]float64, len(notes))
	for j, n := range notes {
		scores[j] = dot(q, n.key)/math.Sqrt(float64(len(q))) + n.bias
	}
	top := slices.Max(scores)
	mixed, total := make([]float64, len(q)), 0.0
	for j, n := range notes {
		p := math.Exp(scores[j] - top)
		total += p
		for i, v := range n.value {
			mixed[i] += p * v
		}
	}
	for i := range mixed {
		mixed[i] /= total
	}
	c := a.o.mul(mixed, nil)
	if a.gateWeight != nil {
		for i := range c {
			c[i] *= sigmoid(a.gateWeight[i]*x[i] + a.gateBias[i])
		}
	}
	return c
}
