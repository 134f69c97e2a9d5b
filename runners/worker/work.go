package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/harness"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"

	"penstock.dev/graphs"
)

// Task is what a worker process works on.
type Task struct {
	ID               string // by the engine; not unique
	Control, Logging string // addresses of the engine
	Capabilities     []string
	Options          runtime.RawOptions
	Folder           string // of the run
}

// answerReady is what a worker process says on its standard output when it is ready;
// anything else is why it will not be.
const answerReady = "ready"

// Work does the task that it reads, until the engine has no more of it or in ends.
func Work(ctx context.Context, in io.Reader, out io.Writer) error {
	var task Task
	d := json.NewDecoder(in)
	if err := d.Decode(&task); err != nil {
		return fmt.Errorf("task: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		io.Copy(io.Discard, in)
		stop()
	}()
	if err := graphs.Join(task.Folder); err != nil {
		fmt.Fprintln(out, strings.Join(strings.Fields(err.Error()), " "))
		return err
	}
	beam.Init() // replaces the default logger
	slog.SetDefault(slog.New(slog.DiscardHandler))
	runtime.GlobalOptions.Import(task.Options)
	fmt.Fprintln(out, answerReady)
	done := make(chan error, 1)
	go func() {
		done <- harness.MainWithOptions(grpcx.WriteWorkerID(ctx, task.ID), task.Logging, task.Control, harness.Options{RunnerCapabilities: task.Capabilities})
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return nil
	}
}
