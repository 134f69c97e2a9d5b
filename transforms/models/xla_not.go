//go:build !xla

package models

import (
	"errors"

	"github.com/gomlx/compute"
)

// XLABuilt says whether this build can run models on XLA.
const XLABuilt = false

func openXLA(string) (compute.Backend, string, error) {
	return nil, "", errors.New("built without XLA")
}
