// Command penstock checks, draws and runs graphs of model-in-the-loop data work.
//
// Exit status: 0 success, 1 a run or another command failed, 2 a graph is
// invalid or a command was misused.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	_ "penstock.dev/transforms/cluster"
	_ "penstock.dev/transforms/degrade" // each import registers the kinds of a family
	_ "penstock.dev/transforms/detect"
	_ "penstock.dev/transforms/distill"
	_ "penstock.dev/transforms/embed"
	_ "penstock.dev/transforms/events"
	_ "penstock.dev/transforms/files"
	_ "penstock.dev/transforms/pde"
	_ "penstock.dev/transforms/retrieval"
	_ "penstock.dev/transforms/synth"
	_ "penstock.dev/transforms/table"
)

func main() { os.Exit(run()) }

// run executes the command line and returns the exit status.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := newCommand().ExecuteContext(ctx)
	var status *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		if status.err != nil {
			complain(status.err)
		}
		return status.code
	}
	complain(err)
	return exitMisuse
}

// complain prints an error on one line, however many it has.
func complain(err error) {
	fmt.Fprintln(os.Stderr, "penstock:", strings.Join(strings.Fields(err.Error()), " "))
}

// Exit statuses besides 0.
const (
	exitFailed  = 1
	exitInvalid = 2
	exitMisuse  = 2
)

// exitError ends the program with a status; a nil err has been reported.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

// failed marks an error of a command that was used rightly.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitFailed, err}
}
