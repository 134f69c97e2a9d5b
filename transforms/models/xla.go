//go:build xla

package models

import (
	"fmt"
	"io"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"k8s.io/klog/v2"
)

// XLABuilt says whether this build can run models on XLA.
const XLABuilt = true

// pjrtMajor is the major version of the PJRT interface that go-xla speaks.
const pjrtMajor = 0

// openXLA opens a PJRT plugin by absolute path, options after commas, and tells its API
// version. Nothing is searched for or downloaded: the path is absolute.
func openXLA(plugin string) (backend compute.Backend, api string, err error) {
	defer recoverInto(&err, "XLA")
	klog.LogToStderr(false) // what it says is in the error too
	klog.SetOutput(io.Discard)
	xla.EnableAutoInstall(false)
	backend, err = xla.New(plugin)
	if err != nil {
		return nil, "", err
	}
	path, _, _ := strings.Cut(plugin, ",")
	loaded, err := pjrt.GetPlugin(path)
	if err != nil {
		return nil, "", err
	}
	major, minor := loaded.Version()
	if major != pjrtMajor {
		return nil, "", fmt.Errorf("PJRT API %d.%d, want %d.x", major, minor, pjrtMajor)
	}
	return backend, fmt.Sprintf("%d.%d", major, minor), nil
}
