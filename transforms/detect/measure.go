package detect

import (
	"context"
	"errors"
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms/detect/lastde"
	"penstock.dev/transforms/models"
)

// sequence is what one forward pass tells of a text: for each token but the
// first, its log-probability and the moments of the distribution it was chosen
// from.
type sequence struct {
	logProbs []float64
	ranks    []int
	means    []float64 // Σ p ln p
	squares  []float64 // Σ p (ln p)²
	samples  *lastde.Samples
	release  func() // gives back the memory of the samples
}

// measure runs the model over the tokens; the caller releases the result. A text longer than the window goes
// through in windows that overlap by half, so that every token but the first
// window's has at least half a window of context; each token is measured once.
func (l *Lastde) measure(ctx context.Context, id data.ID, tokens []int32) (*sequence, error) {
	n := len(tokens) - 1
	s := &sequence{
		logProbs: make([]float64, n),
		ranks:    make([]int, n),
		means:    make([]float64, n),
		squares:  make([]float64, n),
		release:  func() {},
	}
	if l.wants(scoreLastdePP) {
		var err error
		if s.release, err = l.samples.take(ctx, 1+l.sampleBytes(n)/sampleUnit); err != nil {
			return nil, err
		}
		s.samples = lastde.NewSamples(l.config.LastdePP.Samples, n)
	}
	if err := l.visitAll(ctx, s, id, tokens); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// visitAll sends the tokens through the model.
func (l *Lastde) visitAll(ctx context.Context, s *sequence, id data.ID, tokens []int32) error {
	size := l.config.Window
	if size == 0 {
		size = l.lm.Context()
	}
	var fault firstError
	for _, w := range windows(len(tokens), size) {
		fresh := func(pos int) bool { return w.begin+pos >= w.fresh && w.begin+pos+1 < w.end }
		var err error
		if s.samples == nil {
			err = l.lm.Measure(ctx, tokens[w.begin:w.end], func(pos int, at models.Moments) {
				if fresh(pos) {
					s.set(w.begin+pos, at)
				}
			})
		} else {
			err = l.lm.Score(ctx, tokens[w.begin:w.end], func(pos int, logits []float32) {
				if i := w.begin + pos; fresh(pos) {
					fault.note(l.sample(s, id, i, tokens[i+1], logits))
				}
			})
		}
		if err := errors.Join(err, fault.err); err != nil {
			return err
		}
	}
	return nil
}

// set notes the moments at a position, of which logits predict the token after it.
func (s *sequence) set(i int, m models.Moments) {
	s.logProbs[i], s.ranks[i], s.means[i], s.squares[i] = m.LogProb, m.Rank, m.Mean, m.Square
}

// sample measures one position and draws its samples. It is called from several
// goroutines, each with positions of its own.
func (l *Lastde) sample(s *sequence, id data.ID, i int, next int32, logits []float32) error {
	m := models.Position(logits, next)
	s.set(i, m)
	b := drawings.Get().(*drawing)
	defer drawings.Put(b)
	b.resize(s.samples.Count)
	rng := data.Draw(id, l.config.Seed, i)
	for k := range b.uniforms {
		b.uniforms[k] = rng.Float64()
	}
	if err := lastde.Draw(logits, float64(logits[next])-m.LogProb, b.uniforms, b.draws, &b.scratch); err != nil {
		return err
	}
	s.samples.SetPosition(i, b.draws)
	return nil
}

// drawing is the memory of one position's samples.
type drawing struct {
	uniforms, draws []float64
	scratch         lastde.Scratch
}

var drawings = sync.Pool{New: func() any { return new(drawing) }}

func (b *drawing) resize(n int) {
	if cap(b.uniforms) < n {
		b.uniforms, b.draws = make([]float64, n), make([]float64, n)
	}
	b.uniforms, b.draws = b.uniforms[:n], b.draws[:n]
}

// textWindow is a run of tokens [begin, end) for one forward pass, of which the
// positions from fresh on were not measured in the window before.
type textWindow struct{ begin, end, fresh int }

// windows divides a text of n tokens, n >= 2, into windows of size >= 2.
func windows(n, size int) []textWindow {
	if n <= size {
		return []textWindow{{0, n, 0}}
	}
	var all []textWindow
	step := max(1, size/2)
	for begin, fresh := 0, 0; ; begin += step {
		end := min(begin+size, n)
		all = append(all, textWindow{begin, end, fresh})
		if end == n {
			return all
		}
		fresh = end - 1
	}
}

// firstError keeps the first of the errors of several goroutines.
type firstError struct {
	once sync.Once
	err  error
}

func (f *firstError) note(err error) {
	if err != nil {
		f.once.Do(func() { f.err = err })
	}
}
