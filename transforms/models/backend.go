package models

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // registers the pure-Go backend
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Backend says what computes models.
type Backend struct {
	// Name is "go", "xla" or "auto": XLA if a plugin is named or is in the cache, else
	// pure Go. "" takes $PENSTOCK_BACKEND, else "auto".
	Name string
	// Plugin is the path of a PJRT plugin, options after commas ("xla_cuda_plugin.so,
	// visible_devices=0,tf32=false"). "" takes $PENSTOCK_PJRT, else the CPU plugin that
	// "make xla" puts into the cache.
	Plugin string
}

// Names of backends.
const (
	onAuto = "auto"
	onGo   = "go"
	onXLA  = "xla"
)

// goConfig runs the operations of a graph one after another: whole graphs run
// beside each other instead, which uses cores better, and a failing operation comes
// back as an error instead of ending the process.
const goConfig = "go:ops_sequential"

// chosen is the backend of the process; it is opened when the first model is.
var chosen = struct {
	sync.Mutex
	set     bool
	backend Backend
	opened  bool
	device  compute.Backend
	about   string
	err     error
}{}

// Choose sets the backend of the models that are opened from then on. It refuses what
// can be known to fail without opening a plugin, and any choice after a model was
// opened.
func Choose(b Backend) error {
	b, err := b.resolve()
	if err != nil {
		return err
	}
	chosen.Lock()
	defer chosen.Unlock()
	if chosen.opened {
		return errors.New("the backend must be chosen before a model is opened")
	}
	chosen.backend, chosen.set = b, true
	return nil
}

// resolve replaces defaults by what they stand for: the name is go or xla then, and an
// xla backend has the absolute path of a plugin that is there.
func (b Backend) resolve() (Backend, error) {
	b.Name = cmp.Or(b.Name, os.Getenv("PENSTOCK_BACKEND"), onAuto)
	named := cmp.Or(b.Plugin, os.Getenv("PENSTOCK_PJRT"))
	switch b.Name {
	case onGo:
		return Backend{Name: onGo}, nil
	case onAuto, onXLA:
	default:
		return b, fmt.Errorf("backend %q: want auto, go or xla", b.Name)
	}
	if !XLABuilt && (named != "" || b.Name == onXLA) {
		return b, errors.New("this penstock was built without XLA: build it with `make xla`, or leave the backend at go")
	}
	if !XLABuilt {
		return Backend{Name: onGo}, nil
	}
	b.Plugin = named
	if named == "" {
		cached, err := cachedPlugin()
		if err != nil && b.Name == onAuto {
			return Backend{Name: onGo}, nil
		}
		if err != nil {
			return b, err
		}
		b.Plugin = cached
	}
	b.Name = onXLA
	path, options, _ := strings.Cut(b.Plugin, ",")
	path, err := filepath.Abs(path)
	if err != nil {
		return b, err
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return b, fmt.Errorf("PJRT plugin %s: no such file (`make xla` fetches one for CPUs)", path)
	}
	b.Plugin = strings.TrimSuffix(path+","+options, ",")
	return b, nil
}

// The CPU plugin that "make xla" fetches: its place in the cache and the SHA-256 of the
// file (transforms/models/fetch.py has the same).
const (
	cpuPlugin       = "plugins/pjrt-cpu-2026.6.23/libpjrt_cpu.so"
	cpuPluginSHA256 = "0a0fe56ca17be9efc7b942e89e534e5e0ad4a0f1e369b66d27b62184509015b9"
)

func cachedPlugin() (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, filepath.FromSlash(cpuPlugin))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no PJRT plugin: name one with --pjrt or PENSTOCK_PJRT, or run `make xla` (nothing at %s)", path)
	}
	return path, nil
}

// Plugin says which plugin an XLA build uses when none is named.
func Plugin() string {
	path, err := cachedPlugin()
	if err != nil {
		return err.Error()
	}
	return "plugin " + path
}

// device is the process's compute backend, opened at the first call.
func device() (compute.Backend, error) {
	chosen.Lock()
	defer chosen.Unlock()
	if chosen.opened {
		return chosen.device, chosen.err
	}
	chosen.opened = true
	if !chosen.set {
		if chosen.backend, chosen.err = (Backend{}).resolve(); chosen.err != nil {
			return nil, chosen.err
		}
	}
	chosen.device, chosen.about, chosen.err = chosen.backend.open()
	return chosen.device, chosen.err
}

// Device describes the open backend for people and for provenance: "pure Go", or XLA
// with the plugin's API version and SHA-256. It is "" before a model is opened.
func Device() string {
	chosen.Lock()
	defer chosen.Unlock()
	return chosen.about
}

// open opens a resolved backend and lets it prove itself.
func (b Backend) open() (device compute.Backend, about string, err error) {
	if b.Name == onGo {
		defer Recover(&err, "compute backend")
		device, err = compute.NewWithConfig(goConfig)
		return device, "pure Go", err
	}
	path, _, _ := strings.Cut(b.Plugin, ",")
	hash, err := hashFile(path)
	if err != nil {
		return nil, "", err
	}
	if strings.HasSuffix(filepath.ToSlash(path), cpuPlugin) && hash != cpuPluginSHA256 {
		return nil, "", fmt.Errorf("PJRT plugin %s is damaged (SHA-256 %.12s, want %.12s): remove it and run `make xla`", path, hash, cpuPluginSHA256)
	}
	device, api, err := openXLA(b.Plugin)
	if err == nil {
		err = selfTest(device)
	}
	if err != nil {
		return nil, "", fmt.Errorf("PJRT plugin %s: %s", path, rootCause(err))
	}
	return device, fmt.Sprintf("XLA, PJRT API %s, plugin sha256:%s", api, hash), nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// rootCause is the first line of the innermost error: libraries wrap theirs in names of
// functions and append stacks.
func rootCause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// selfTest compares a matrix product and a softmax on the device with the same in
// plain Go, so that a plugin that computes wrongly is refused.
func selfTest(device compute.Backend) (err error) {
	const n = 64
	defer Recover(&err, "self-test")
	a := make([]float32, n*n)
	for i := range a {
		a[i] = float32(i*7%13-6) / 8
	}
	exec, err := graph.NewExec(device, func(x *graph.Node) *graph.Node {
		return graph.Softmax(graph.DotGeneral(x, []int{1}, nil, x, []int{0}, nil), -1)
	})
	if err != nil {
		return err
	}
	defer exec.Finalize()
	input := tensors.FromFlatDataAndDimensions(a, n, n)
	defer input.FinalizeAll()
	output, err := exec.Call1(input)
	if err != nil {
		return err
	}
	defer output.FinalizeAll()
	worst := 0.0
	err = tensors.ConstFlatData(output, func(got []float32) {
		for row := range n {
			var want [n]float64
			sum := 0.0
			for column := range n {
				product := 0.0
				for k := range n {
					product += float64(a[row*n+k]) * float64(a[k*n+column])
				}
				want[column] = math.Exp(product)
				sum += want[column]
			}
			for column := range n {
				difference := math.Abs(float64(got[row*n+column]) - want[column]/sum)
				if !(difference <= worst) { // keeps NaN
					worst = difference
				}
			}
		}
	})
	if err != nil {
		return err
	}
	// TF32 on a GPU leaves about three digits.
	if !(worst < 1e-2) {
		return fmt.Errorf("self-test: a softmax of products is off by %.2g", worst)
	}
	return nil
}
