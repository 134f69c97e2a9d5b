package data

import "math/rand/v2"

// Hash is a 64-bit hash of a string and a seed, the same in every process.
func Hash(s string, seed int64) uint64 {
	return mix(hashString(hashUint64(fnvOffset, uint64(seed)), s))
}

// Draw is the random generator of one draw for one row. Every random choice in
// a graph comes from here, keyed by what it is for, so that results do not
// depend on workers, batches or order of arrival.
func Draw(id ID, seed int64, draw int) *rand.Rand {
	return rand.New(rand.NewPCG(mix(id.Hash()^uint64(seed)), mix(uint64(draw))))
}

// FNV-1a, finished by the mixer of MurmurHash3 because FNV's high bits are weak
// for short inputs.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashString(h uint64, s string) uint64 {
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime
}

func hashUint64(h, x uint64) uint64 {
	for i := 0; i < 8; i++ {
		h = (h ^ (x & 0xff)) * fnvPrime
		x >>= 8
	}
	return h
}

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
