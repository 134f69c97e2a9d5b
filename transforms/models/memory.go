package models

import (
	"os"
	"runtime/debug"
	"sync"
)

// garbage is the memory in bytes that may fill with garbage between two collections
// while models are open. The collector would let it grow as large as the weights, which
// lie in the same heap and are never garbage.
const garbage = 64 << 20

var held = struct {
	sync.Mutex
	weights int64 // bytes, of all open models
	percent int   // before the first was opened
}{}

// hold tells the collector of weights that stay, or with a negative number, that they
// are gone. What the user has set in GOGC stands.
func hold(weights int64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	held.Lock()
	defer held.Unlock()
	before := held.weights
	held.weights += weights
	switch {
	case held.weights <= garbage:
		if before > garbage {
			debug.SetGCPercent(held.percent)
		}
	default:
		percent := debug.SetGCPercent(int(100 * garbage / held.weights))
		if before <= garbage {
			held.percent = percent
		}
	}
}
