package vk

import (
	"fmt"
	"math"
	"math/bits"
	"time"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

// poolStamps is the number of timestamps of one query pool.
const poolStamps = 256

// Timestamp records the next timestamp: the time when all earlier commands of the list are done.
func (c *Commands) Timestamp() {
	if c.recording() {
		c.fail(c.timestamp())
	}
}

func (c *Commands) timestamp() error {
	d := c.d
	if d.phys.mask == 0 {
		return fmt.Errorf("device %s: its queue has no timestamps", d.phys.info.Name)
	}
	n := c.stamps % poolStamps
	if n == 0 {
		info := vulkan.QueryPoolCreateInfo{
			SType: vulkan.StructureTypeQueryPoolCreateInfo, QueryType: vulkan.QueryTypeTimestamp, QueryCount: poolStamps,
		}
		defer info.Free()
		var pool vulkan.QueryPool
		if err := failed("vkCreateQueryPool", vulkan.CreateQueryPool(d.handle, &info, nil, &pool)); err != nil {
			return err
		}
		d.counts.add(queryPoolHandle, 1)
		c.queries = append(c.queries, pool)
		// Recorded, so that every submission resets the pool before its first timestamp.
		vulkan.CmdResetQueryPool(c.cb, pool, 0, poolStamps)
	}
	vulkan.CmdWriteTimestamp(c.cb, vulkan.PipelineStageBottomOfPipeBit, c.queries[len(c.queries)-1], uint32(n))
	c.stamps++
	return nil
}

// Timestamps returns the timestamps of the latest submission, as times after the first of them.
// Call it after the submission's Wait and before the next Submit of the list.
func (c *Commands) Timestamps() ([]time.Duration, error) {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("command list: %w", ErrClosed)
	}
	if c.stamps == 0 {
		return nil, nil
	}
	if !c.last.done() {
		return nil, fmt.Errorf("timestamps: the command list was not submitted and waited for")
	}
	ticks := make([]uint64, c.stamps)
	for i, pool := range c.queries {
		part := ticks[i*poolStamps : min((i+1)*poolStamps, c.stamps)]
		r := vulkan.GetQueryPoolResults(d.handle, pool, 0, uint32(len(part)), uint64(len(part)*8),
			unsafe.Pointer(&part[0]), 8, vulkan.QueryResultFlags(vulkan.QueryResult64Bit))
		if err := failed("vkGetQueryPoolResults", r); err != nil {
			return nil, err
		}
		if r == vulkan.NotReady {
			return nil, &Error{"vkGetQueryPoolResults", Result(r)}
		}
	}
	return durations(ticks, d.phys.mask, d.phys.info.Limits.TimestampPeriod), d.said()
}

// durations turns ticks into times after the first. Counters of fewer than 64 bits wrap; a tick
// just before the first one (queues may retire out of order) gives a small negative time.
func durations(ticks []uint64, mask uint64, period float64) []time.Duration {
	out := make([]time.Duration, len(ticks))
	spare := 64 - bits.Len64(mask)
	for i, t := range ticks {
		delta := int64((t-ticks[0])<<spare) >> spare
		out[i] = time.Duration(math.Round(float64(delta) * period))
	}
	return out
}
