//go:build xla

package models

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	defer Recover(&err, "XLA")
	klog.LogToStderr(false) // what it says is in the error too
	klog.SetOutput(io.Discard)
	xla.EnableAutoInstall(false)
	path, options, _ := strings.Cut(plugin, ",")
	if !strings.Contains(options, "tf32=") {
		plugin += ",tf32=false" // ten bits of a factor are too few for scores
	}
	if err := prepareCUDA(path); err != nil {
		return nil, "", err
	}
	backend, err = xla.New(plugin)
	if err != nil {
		return nil, "", err
	}
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

// prepareCUDA tells XLA where the tools of CUDA are that pip installed beside a CUDA
// plugin (site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so), and to take its
// matrix products from cuBLAS: the search for better ones takes ten times as long as all
// other compilation (87 s against 7.6 s for ten shapes of the pocket model on an H200).
// What the user has in XLA_FLAGS goes before.
func prepareCUDA(plugin string) error {
	beside, err := filepath.Glob(filepath.Join(filepath.Dir(plugin), "../../nvidia/cu[0-9]*"))
	if err != nil || len(beside) == 0 {
		return err
	}
	flags := os.Getenv("XLA_FLAGS")
	for name, value := range map[string]string{
		"--xla_gpu_cuda_data_dir":      beside[len(beside)-1],
		"--xla_gpu_enable_triton_gemm": "false",
	} {
		if !strings.Contains(flags, name) {
			flags = strings.TrimSpace(flags + " " + name + "=" + value)
		}
	}
	if err := os.Setenv("XLA_FLAGS", flags); err != nil {
		return err
	}
	return os.Setenv("GOPJRT_CUDA_CHECKS", "0") // looks for them in the wrong place
}
