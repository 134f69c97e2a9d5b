package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"penstock.dev/data/nats/natstest"
	"penstock.dev/transforms/models"
)

// TestMain lets the test binary stand for the command: a process that is called
// penstock is main itself, and one called nats-server is a server.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"penstock": main, "nats-server": natstest.Main, "penstock-deadly": deadly, "job-service": jobService})
}

// The scripts in testdata/script run the command as a user would. SAMPLES is the
// folder of the sample data; "exits N COMMAND…" expects an exit status; the
// condition xla is true in a build with XLA.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SAMPLES", samples(t))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "xla" {
				return models.XLABuilt, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

func samples(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../../data/samples")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v exited with %d, want %d", args[1:], got, want)
	}
}
