package graphs

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// combining adds a bundle's records to an accumulator. Its element is the
// smallest order, so that partial sums are always merged in one sequence, and
// the accumulator's encoding.
type combining struct {
	live        *live
	accumulator transforms.Accumulator
	first       int64
	started     bool
}

func (g *combining) add(r *data.Record) error {
	if !g.started {
		g.first, g.started = r.Order, true
	}
	began := time.Now()
	err := g.accumulator.Add(r)
	g.live.counts.take(began)
	return err
}

func (g *combining) finish() ([]byte, error) {
	encoded, err := g.accumulator.Marshal()
	return append(binary.BigEndian.AppendUint64(nil, uint64(g.first)), encoded...), err
}

// sharding writes a bundle's records to shards of a sink. There is one in a bundle,
// or, where bundles may hold splits in any order, one for each split.
type sharding struct {
	live   *live
	sink   transforms.Sink
	writer transforms.ShardWriter
	last   int64 // order written
	shards []shard
}

// shard is a shard with the order of its last record.
type shard struct {
	transforms.Shard
	Last int64
}

func (g *sharding) add(r *data.Record) error {
	began := time.Now()
	var err error
	if g.writer != nil && g.live.execution.parted(g.last, r.Order) {
		err = g.close()
	}
	if err == nil {
		err = g.write(r)
	}
	g.live.counts.take(began)
	if err != nil {
		g.abort()
	}
	return err
}

func (g *sharding) write(r *data.Record) (err error) {
	if g.writer == nil {
		if g.writer, err = g.sink.Create(g.live.execution.ctx, g.live.run(), g.live.attempt()); err != nil {
			return err
		}
	}
	if err := g.live.execution.ctx.Err(); err != nil {
		return err
	}
	g.last = r.Order
	return g.writer.Write(r)
}

func (g *sharding) close() error {
	written, err := g.writer.Close()
	g.writer = nil
	g.shards = append(g.shards, shard{written, g.last})
	return err
}

func (g *sharding) abort() {
	if g.writer != nil {
		g.writer.Abort()
		g.writer = nil
	}
}

func (g *sharding) finish() ([]byte, error) {
	if err := g.close(); err != nil {
		return nil, err
	}
	return json.Marshal(g.shards)
}

// counting takes the place of a sink in a run that writes nothing.
type counting struct{ live *live }

func (g *counting) add(*data.Record) error {
	g.live.counts.take(time.Now())
	return nil
}

func (g *counting) finish() ([]byte, error) { return nil, nil }

// spilling writes a bundle's records to disk, in runs of growing order.
type spilling struct {
	live   *live
	port   string
	branch int
	out    *spillWriter
	runs   []spill
}

func (g *spilling) add(r *data.Record) error {
	began := time.Now()
	defer g.live.counts.take(began)
	if g.out != nil && r.Order < g.out.last {
		if err := g.close(); err != nil {
			return err
		}
	}
	if g.out == nil {
		out, err := newSpillWriter(g.live.execution.spillPath(g.live.attempt()))
		if err != nil {
			return err
		}
		g.out = out
	}
	return g.out.write(r)
}

func (g *spilling) close() error {
	run, err := g.out.close()
	run.Port, run.Branch = g.port, g.branch
	g.out, g.runs = nil, append(g.runs, run)
	return err
}

func (g *spilling) finish() ([]byte, error) {
	if err := g.close(); err != nil {
		return nil, err
	}
	return json.Marshal(g.runs)
}
