package lastde

// Samples holds Count sequences of Length log-probabilities, one sequence after
// another.
type Samples struct {
	Count, Length int
	LogProbs      []float64 // Count × Length
}

// NewSamples returns count sequences of zeros.
func NewSamples(count, length int) *Samples {
	return &Samples{Count: count, Length: length, LogProbs: make([]float64, count*length)}
}

// SetPosition stores position i of every sequence: draws[k] becomes the i-th
// log-probability of sequence k. It panics if i is not in [0, Length) or there
// are fewer draws than sequences.
func (s *Samples) SetPosition(i int, draws []float64) {
	_ = draws[s.Count-1]
	for k := range s.Count {
		s.Sequence(k)[i] = draws[k]
	}
}

// Sequence returns sequence k, sharing memory with s.
func (s *Samples) Sequence(k int) []float64 {
	return s.LogProbs[k*s.Length : (k+1)*s.Length : (k+1)*s.Length]
}
