package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/vk"
)

// The slots that programs share beside a state. On a device with memory of its own the host's side of a slot
// is another buffer, copied to or from at the program's ends.
const (
	idsSlot      = "ids"      // of the pass's tokens
	residualSlot = "residual" // the stream after the last layer, one row a token of the chunk
	logitsSlot   = "logits"
	choicesSlot  = "choices" // of the next token: ids, then their logits
	hostSide     = ".host"
)

// A link is the buffers through which the host talks to programs.
type link struct {
	device  *vk.Device
	unified bool // the device works in the host's memory
	spans   map[string]vk.Span
	buffers []*vk.Buffer
}

func newLink(device *vk.Device, unified bool) *link {
	return &link{device: device, unified: unified, spans: map[string]vk.Span{}}
}

// unified says whether a device works in the host's memory.
func unified(info vk.Info) bool { return info.Type == vk.CPU || info.Type == vk.Integrated }

// shared makes a slot that the host sees: on a device with memory of its own, two buffers.
func (k *link) shared(name string, bytes int64) error {
	if err := k.buffer(name+hostSide, bytes, vk.HostVisible); err != nil {
		return err
	}
	if k.unified {
		k.spans[name] = k.spans[name+hostSide]
		return nil
	}
	return k.buffer(name, bytes, vk.DeviceLocal)
}

// buffer makes the buffer behind a slot.
func (k *link) buffer(name string, bytes int64, where vk.Memory) error {
	b, err := k.device.NewBuffer(bytes, where)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	k.buffers = append(k.buffers, b)
	k.spans[name] = b.Whole()
	return nil
}

// slots are all of them with those of a state.
func (k *link) slots(own map[string]vk.Span) map[string]vk.Span {
	all := maps.Clone(k.spans)
	maps.Copy(all, own)
	return all
}

// bytes is the device memory of all buffers.
func (k *link) bytes() (total int64) {
	for _, b := range k.buffers {
		total += b.Size()
	}
	return total
}

// close frees the buffers. No program may be running.
func (k *link) close() {
	for _, b := range k.buffers {
		b.Close()
	}
	k.buffers = nil
}

// copyIn brings a slot from the host's side, where that is another memory.
func (k *link) copyIn(g *graph.Graph, name string, rows, cols int) graph.Value {
	v := g.Slot(name, 0, rows, cols)
	if !k.unified {
		g.Copy(v, g.Slot(name+hostSide, 0, rows, cols))
	}
	return v
}

// copyParams brings the parameters of a pass.
func (k *link) copyParams(g *graph.Graph) { k.copyIn(g, ops.ParamsSlot, 1, ops.ParamsBytes/4) }

// copyOut brings a slot to the host's side, where that is another memory.
func (k *link) copyOut(g *graph.Graph, name string, v graph.Value) {
	if !k.unified {
		g.Copy(g.Slot(name+hostSide, 0, v.Rows, v.Cols), v)
	}
}

// mapped is the host's side of a slot.
func (k *link) mapped(name string) []byte { return k.spans[name+hostSide].Buffer.Mapped() }

// params are the parameters of a pass as the host writes them.
type params []byte

// params are those of the i-th block.
func (k *link) params(block int) params { return k.mapped(ops.ParamsSlot)[block*paramsBlock:] }

// paramsBlock is how far the parameters of programs that run in one submission lie apart.
const paramsBlock = (ops.ParamsBytes + 255) / 256 * 256

// pickParams makes the slot of parameters that of one of the blocks.
func pickParams(slots map[string]vk.Span, block int) {
	for _, name := range []string{ops.ParamsSlot, ops.ParamsSlot + hostSide} {
		if span, ok := slots[name]; ok {
			slots[name] = span.Buffer.Span(int64(block)*paramsBlock, ops.ParamsBytes)
		}
	}
}

func (b params) put(i int, v uint32) { binary.LittleEndian.PutUint32(b[4*i:], v) }

// pass is of the given number of tokens of each of the given number of sequences.
func (b params) pass(tokens, sequences int) {
	b.put(0, uint32(tokens))
	b.put(1, uint32(sequences))
}

// sequence i is at a position and has a row of the state.
func (b params) sequence(i int, position int64, row int) {
	b.put(4+i, uint32(position))
	b.put(4+ops.MaxSequences+i, uint32(row))
}

// setParams fills in what changes from pass to pass of one sequence. No program may be running.
func (k *link) setParams(tokens int, position int64) {
	one := k.params(0)
	one.pass(tokens, 1)
	one.sequence(0, position, 0)
}

// setIDs fills in the tokens of a pass.
func (k *link) setIDs(ids []int32) {
	b := k.mapped(idsSlot)
	for i, id := range ids {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(id))
	}
}

// readLogits copies a row of logits from the host's side, where rows are padded.
func (k *link) readLogits(logits []float32, row int) error {
	from := 4 * row * ops.Padded(len(logits))
	return quant.F32.Dequantize(logits, k.mapped(logitsSlot)[from:from+4*len(logits)])
}

// choices reads what the device chose of a row of logits.
func (k *link) choices(room []sample.Choice, row int) []sample.Choice {
	data := k.mapped(choicesSlot)[8*ops.MaxTop*row:]
	for i := range room {
		room[i] = sample.Choice{
			ID:    int32(binary.LittleEndian.Uint32(data[4*i:])),
			Logit: math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i+ops.MaxTop):])),
		}
	}
	return room
}
