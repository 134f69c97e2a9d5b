package graphs_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"penstock.dev/specs"
	"penstock.dev/transforms"
	_ "penstock.dev/transforms/cluster"
	_ "penstock.dev/transforms/degrade"
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

// The schema says what a graph may hold, the kind table what there is: neither
// may have a kind or a port that the other lacks.
func TestSchemaAndKindTableAgree(t *testing.T) {
	documented := map[string]specs.KindDoc{}
	for _, k := range specs.Kinds() {
		documented[k.Name] = k
		if _, ok := transforms.Lookup(k.Name); !ok {
			t.Errorf("%s is in the schema and not in the kind table", k.Name)
		}
		if strings.TrimSpace(k.Doc) == "" {
			t.Errorf("%s has no doc comment", k.Name)
		}
		for _, f := range k.Fields {
			if strings.TrimSpace(f.Doc) == "" {
				t.Errorf("%s.%s has no doc comment", k.Name, f.Name)
			}
		}
	}
	for _, k := range transforms.Kinds() {
		if strings.HasPrefix(k.Name, "test.") {
			continue
		}
		doc, ok := documented[k.Name]
		if !ok {
			t.Errorf("%s is in the kind table and not in the schema", k.Name)
			continue
		}
		if !sameNames(doc.Inputs, k.Inputs) {
			t.Errorf("%s: inputs are %v in the schema, %v in the kind table", k.Name, doc.Inputs, k.Inputs)
		}
		if !sameNames(doc.Outputs, k.Outputs) {
			t.Errorf("%s: outputs are %v in the schema, %v in the kind table", k.Name, doc.Outputs, k.Outputs)
		}
	}
}

func sameNames(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return len(a) == len(b) && (len(a) == 0 || reflect.DeepEqual(a, b))
}
