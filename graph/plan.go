package graph

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/mmrun/mmrun/vk"
)

// A Program is a planned graph: its kernels, its arena's layout and its barriers.
type Program struct {
	device *vk.Device
	nodes  []node
	arena  int64
}

// Plan lays the temporaries out in one arena and decides where barriers stand.
func (g *Graph) Plan() (*Program, error) {
	if g.err != nil {
		return nil, g.err
	}
	for i := range g.nodes {
		if err := g.nodes[i].checkWritten(i); err != nil {
			return nil, err
		}
	}
	p := &Program{device: g.device, nodes: g.nodes, arena: layout(g.homes)}
	placeBarriers(p.nodes)
	return p, nil
}

// Arena is the number of bytes of arena the program needs.
func (p *Program) Arena() int64 { return p.arena }

// Dispatches is how many kernels one run of the program starts.
func (p *Program) Dispatches() int {
	count := 0
	for _, n := range p.nodes {
		if n.pipeline != nil {
			count++
		}
	}
	return count
}

// Kernels are the names of those that a run of the program starts, each once, in order of first call.
func (p *Program) Kernels() (names []string) {
	for _, n := range p.nodes {
		if n.pipeline != nil && !slices.Contains(names, n.pipeline.Name()) {
			names = append(names, n.pipeline.Name())
		}
	}
	return names
}

// Barriers is how many barriers stand between them.
func (p *Program) Barriers() int {
	count := 0
	for _, n := range p.nodes {
		if n.barrier {
			count++
		}
	}
	return count
}

// checkWritten refuses a temporary that node i is the first to use without writing it.
func (n *node) checkWritten(i int) error {
	for _, v := range n.args {
		if v.home.kind != temporary || v.home.first != i {
			continue
		}
		written := false
		for j, other := range n.args {
			_, writes := n.access(j)
			written = written || writes && other.home == v.home
		}
		if !written {
			return fmt.Errorf("%s: a value of shape %v is read before anything was written to it", n.op, v.Shape())
		}
	}
	return nil
}

// layout gives every temporary its place: largest first, each at the lowest offset where no
// temporary alive at the same time lies. It returns the arena's size.
func layout(homes []*home) int64 {
	var temps []*home
	for _, h := range homes {
		if h.kind == temporary && h.first >= 0 {
			temps = append(temps, h)
		}
	}
	sort.SliceStable(temps, func(i, j int) bool { return temps[i].size > temps[j].size })
	var total int64
	var placed []*home // by offset
	for _, h := range temps {
		h.offset = 0
		for _, other := range placed {
			if other.last < h.first || h.last < other.first {
				continue
			}
			if h.offset+h.size <= other.offset {
				break
			}
			h.offset = max(h.offset, Align(other.offset+other.size))
		}
		total = max(total, h.offset+h.size)
		at := sort.Search(len(placed), func(i int) bool { return placed[i].offset > h.offset })
		placed = append(placed[:at], append([]*home{h}, placed[at:]...)...)
	}
	return Align(total)
}

// An extent is a range of memory: of the arena, of a slot, or of a buffer.
type extent struct {
	space    any
	from, to int64
	write    bool
	home     *home
	part     int // of the home, 0 for all
}

func (v Value) extent(write bool) extent {
	h := v.home
	e := extent{space: "arena", from: h.offset, to: h.offset + h.size, write: write, home: h, part: v.part}
	switch h.kind {
	case slot:
		if e.space = "slot " + h.name; h.whole {
			e.from, e.to = 0, math.MaxInt64
		}
	case constant:
		e.space, e.from, e.to = h.span.Buffer, h.span.Off, h.span.Off+h.size
	}
	return e
}

// apart says whether two extents are different parts of a home.
func (e extent) apart(other extent) bool {
	return e.home == other.home && e.part != other.part && e.part > 0 && other.part > 0
}

// placeBarriers puts a barrier before every node that touches what an earlier one, since the last
// barrier, has written, or writes what it has read.
func placeBarriers(nodes []node) {
	var open []extent
	for i := range nodes {
		n := &nodes[i]
		var own []extent
		for j, v := range n.args {
			reads, writes := n.access(j)
			if reads || writes {
				own = append(own, v.extent(writes))
			}
		}
		if conflict(open, own) {
			n.barrier = true
			open = open[:0]
		}
		open = append(open, own...)
	}
}

func conflict(open, own []extent) bool {
	for _, a := range open {
		for _, b := range own {
			if a.space == b.space && (a.write || b.write) && a.from < b.to && b.from < a.to && !a.apart(b) {
				return true
			}
		}
	}
	return false
}

// access says what a node does with its argument i; a copy writes its first and reads its second.
func (n *node) access(i int) (reads, writes bool) {
	if n.pipeline == nil {
		return i == 1, i == 0
	}
	b := n.pipeline.Bindings()[i]
	return b.Reads, b.Writes
}
