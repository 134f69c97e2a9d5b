package models

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// checkTensors compares what the source holds with what its architecture needs and
// reports everything that is wrong in one error.
func (s *source) checkTensors() error {
	return checkTensors(s.config.Architecture, s.tensors, s.config.parameters(), s.config.ignorable)
}

func checkTensors(architecture string, tensors map[string]tensor, parameters []parameter, ignorable func(name string) bool) error {
	var missing, wrong, unexpected []string
	needed := map[string]bool{}
	for _, p := range parameters {
		needed[p.name] = true
		t, ok := tensors[p.name]
		switch {
		case !ok:
			missing = append(missing, p.name)
		case !slices.Equal(t.Shape(), p.shape):
			wrong = append(wrong, fmt.Sprintf("%s has shape %v, want %v", p.name, t.Shape(), p.shape))
		}
	}
	for name := range tensors {
		if !needed[name] && !ignorable(name) {
			unexpected = append(unexpected, name)
		}
	}
	slices.Sort(unexpected)
	var problems []string
	if len(missing) > 0 {
		problems = append(problems, "missing "+abbreviate(missing))
	}
	if len(wrong) > 0 {
		problems = append(problems, abbreviate(wrong))
	}
	if len(unexpected) > 0 {
		problems = append(problems, "unexpected "+abbreviate(unexpected))
	}
	if len(problems) > 0 {
		return fmt.Errorf("weights do not fit %s: %s", architecture, strings.Join(problems, "; "))
	}
	return nil
}

// abbreviate keeps an error readable when a whole model does not fit.
func abbreviate(list []string) string {
	const shown = 12
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// loadWeights reads, widens and uploads every parameter in order. As many tensors are
// on the host at a time as there are cores.
func (s *source) loadWeights(backend compute.Backend, precision Precision) ([]*tensors.Tensor, error) {
	return loadWeights(backend, s.tensors, s.config.parameters(), precision)
}

func loadWeights(backend compute.Backend, files map[string]tensor, parameters []parameter, precision Precision) ([]*tensors.Tensor, error) {
	if err := precision.check(backend); err != nil {
		return nil, err
	}
	size := heapBytes(backend, parameters)
	hold(size)
	loaded := make([]*tensors.Tensor, len(parameters))
	errs := make([]error, len(parameters))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, p := range parameters {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			values, err := files[p.name].Float32s()
			if err == nil {
				loaded[i], err = upload(backend, values, p, precision)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		hold(-size)
		finalizeAll(loaded)
		return nil, err
	}
	return loaded, nil
}

// freeWeights undoes loadWeights.
func freeWeights(backend compute.Backend, loaded []*tensors.Tensor, parameters []parameter) {
	if loaded == nil {
		return
	}
	finalizeAll(loaded)
	hold(-heapBytes(backend, parameters))
}

// heapBytes is how much of the parameters lies in Go's heap.
func heapBytes(backend compute.Backend, parameters []parameter) (bytes int64) {
	if backend.Name() == onXLA {
		return 0
	}
	for _, p := range parameters {
		bytes += 4 * p.elements()
	}
	return bytes
}

func finalizeAll(list []*tensors.Tensor) {
	for _, t := range list {
		if t != nil {
			t.FinalizeAll()
		}
	}
}
