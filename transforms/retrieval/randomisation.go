package retrieval

import (
	"math"
	"math/rand/v2"
)

// Randomisation is Fisher's two-sided randomisation test of paired values: the
// probability of a mean difference at least as far from 0 if the sign of each were by
// chance (Smucker, Allan and Carterette, CIKM 2007). When there are no more than
// permutations choices of signs it takes them all and is exact; otherwise it draws
// that many, and the choice at hand counts as one more, so that it is never 0.
// Differences are finite; without any it is 1.
func Randomisation(differences []float64, permutations int, random *rand.Rand) float64 {
	n := len(differences)
	if n == 0 {
		return 1
	}
	observed := math.Abs(signed(differences, func(int) uint64 { return 0 }))
	least := observed * (1 - 1e-12) // sums in another order are rounded otherwise
	extreme := 0
	if n < 63 && 1<<n <= permutations {
		for choice := range uint64(1) << n {
			if math.Abs(signed(differences, func(int) uint64 { return choice })) >= least {
				extreme++
			}
		}
		return float64(extreme) / float64(uint64(1)<<n)
	}
	for range permutations {
		if math.Abs(signed(differences, func(int) uint64 { return random.Uint64() })) >= least {
			extreme++
		}
	}
	return float64(extreme+1) / float64(permutations+1)
}

// signed is the sum of the differences, each with the sign that its bit says; signs
// gives those of a block of 64.
func signed(differences []float64, signs func(block int) uint64) (sum float64) {
	var bits uint64
	for i, d := range differences {
		if i%64 == 0 {
			bits = signs(i / 64)
		}
		sum += math.Float64frombits(math.Float64bits(d) ^ bits<<63)
		bits >>= 1
	}
	return sum
}
