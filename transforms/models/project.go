package models

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
)

// position is one valid place of a padded part.
type position struct {
	row *sequence
	pos int // in the row
	at  int // in the part's hidden states
}

// project applies the head to hidden states [rows*length, width], a chunk of positions
// at a time: while one chunk's logits are visited, the next chunk's are computed, and
// no third one is in memory.
func (m *model) project(rows []*sequence, length int, states []float32) error {
	var positions []position
	for i, s := range rows {
		for pos := range s.ids {
			positions = append(positions, position{row: s, pos: pos, at: i*length + pos})
		}
	}
	var (
		running   sync.WaitGroup
		computing = make(chan struct{}, 1)
		visiting  = make(chan struct{}, 1)
		errs      = make(chan error, len(positions))
	)
	for chunk := range slices.Chunk(positions, m.config.chunkPositions()) {
		computing <- struct{}{}
		running.Go(func() {
			computed := false
			err := m.head.run(m.gather(chunk, states), func(logits []float32) {
				visiting <- struct{}{}
				computed = true
				<-computing
				m.visitAll(chunk, logits)
				<-visiting
			})
			if !computed {
				<-computing
			}
			if err != nil {
				errs <- err
			}
		})
	}
	running.Wait()
	close(errs)
	return <-errs
}

// chunkPositions is how many positions get logits at a time: 32 MB of them, in steps
// that suit the matrix product.
func (c *config) chunkPositions() int {
	return min(max(floorPowerOfTwo((8<<20)/c.Vocab), 16), 256)
}

// gather copies the hidden states of a chunk together, padded to a bucketed number of
// rows: padding of the part never reaches the head.
func (m *model) gather(chunk []position, states []float32) *tensors.Tensor {
	width := m.config.Width
	n := m.traits.bucketLength(len(chunk), m.config.chunkPositions())
	rows := make([]float32, n*width)
	for i, p := range chunk {
		copy(rows[i*width:(i+1)*width], states[p.at*width:(p.at+1)*width])
	}
	return tensors.FromFlatDataAndDimensions(rows, n, width)
}

// visitAll hands each position of a chunk its row of logits, on all cores.
func (m *model) visitAll(chunk []position, logits []float32) {
	cores := runtime.GOMAXPROCS(0)
	vocab := m.config.Vocab
	var visitors sync.WaitGroup
	for first := range min(cores, len(chunk)) {
		visitors.Go(func() {
			for i := first; i < len(chunk); i += cores {
				chunk[i].row.see(chunk[i].pos, logits[i*vocab:(i+1)*vocab:(i+1)*vocab])
			}
		})
	}
	visitors.Wait()
}

// see hands logits to the visitor.
func (s *sequence) see(pos int, logits []float32) {
	s.guard(pos, func() { s.visit(pos, logits) })
}

// guard calls a visitor, unless the sequence has failed or its context is done. A panic
// in the visitor fails its own sequence only.
func (s *sequence) guard(pos int, visit func()) {
	if err := s.ctx.Err(); err != nil {
		s.fail(err)
	}
	if s.err() != nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			s.fail(fmt.Errorf("position %d: panic in the visitor: %v", pos, p))
		}
	}()
	s.visited.Store(true)
	visit()
}
