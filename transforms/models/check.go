package models

import (
	"errors"
	"fmt"
	"sync"
)

// checked holds the hashes of the models that were found sound, by canonical
// reference.
var checked sync.Map

// Check reports whether the model a reference names can be opened, as far as its
// configuration, tokenizer and the names and shapes of its weights tell, without
// loading them, and returns its hash (see [LM.Hash]). Its files are read once a
// process; a model that changes meanwhile keeps its hash.
func Check(ref string) (hash string, err error) {
	key, open, err := resolve(ref)
	if err != nil {
		return "", fmt.Errorf("model %s: %w", ref, err)
	}
	if hash, ok := checked.Load(key); ok {
		return hash.(string), nil
	}
	s, err := open()
	if err != nil {
		return "", fmt.Errorf("model %s: %w", ref, err)
	}
	if err := errors.Join(s.checkTensors(), s.close()); err != nil {
		return "", fmt.Errorf("model %s: %w", ref, err)
	}
	checked.Store(key, s.hash)
	return s.hash, nil
}
