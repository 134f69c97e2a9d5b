package main

import (
	"os/exec"
	"testing"
	"time"

	"penstock.dev/runners/flink/flinktest"
)

func TestFlink(t *testing.T) {
	c := flinktest.Start(t, 2)
	workers := startProcess(t, "penstock", "worker", "--listen", "127.0.0.1:0")
	dir := t.TempDir()
	began := time.Now()
	cmd := exec.Command("penstock", "run", "../../graphs/examples/detect-text", "-t", "input="+samples(t)+"/demo.parquet", "-t", "model=pocket", "-t", "out="+dir+"/out", "--work", dir+"/work",
		"--runner", "flink", "--endpoint", c.Endpoint, "--dashboard", c.Dashboard, "--workers", workers, "--parallelism", "2")
	b, err := cmd.CombinedOutput()
	t.Logf("%v %s", time.Since(began), b)
	if err != nil {
		t.Fatal(err)
	}
}
