package detect

import (
	"bytes"
	"encoding/gob"
	"fmt"
)

// Marshal implements transforms.Accumulator.
func (a *evaluating) Marshal() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(a.sorted())
	return b.Bytes(), err
}

// Merge implements transforms.Accumulator.
func (a *evaluating) Merge(encoded []byte) error {
	var groups []*labelled
	if err := gob.NewDecoder(bytes.NewReader(encoded)).Decode(&groups); err != nil {
		return fmt.Errorf("partial evaluation: %w", err)
	}
	for _, g := range groups {
		if len(g.Values) == 0 {
			g.Values = []string{} // gob drops empty slices
		}
		a.group(g.Values, g.Band).add(g)
	}
	return nil
}
