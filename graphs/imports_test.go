package graphs_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Imports point one way through the house, and each heavy dependency has one
// room.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "penstock.dev/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	only := map[string]string{ // dependency → the one room that may import it
		"cuelang.org/go":               "penstock.dev/specs",
		"github.com/gomlx":             "penstock.dev/transforms/models",
		"github.com/parquet-go":        "penstock.dev/data/parquet",
		"github.com/nats-io":           "penstock.dev/data/nats",
		"penstock.dev/runners":         "penstock.dev/runners",
		"penstock.dev/graphs":          "penstock.dev/graphs penstock.dev/runners",
		"penstock.dev/specs":           "penstock.dev/specs penstock.dev/graphs penstock.dev/runners",
		"penstock.dev/transforms":      "penstock.dev/transforms penstock.dev/graphs penstock.dev/runners",
		"github.com/apache/beam":       "penstock.dev/graphs penstock.dev/runners",
		"github.com/google/cel-go":     "penstock.dev/transforms/table",
		"github.com/spf13/cobra":       "penstock.dev/runners/penstock",
		"penstock.dev/graphs/examples": "penstock.dev/graphs/examples",
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for _, imported := range fields[1:] {
			for dependency, rooms := range only {
				if within(imported, dependency) && !withinAny(fields[0], rooms) {
					t.Errorf("%s imports %s, which only %s may", fields[0], imported, rooms)
				}
			}
		}
	}
}

func withinAny(path, rooms string) bool {
	for _, room := range strings.Fields(rooms) {
		if within(path, room) {
			return true
		}
	}
	return false
}

func within(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }
