package synth

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock.dev/data"
)

// goldens are cases of the published package (BatsResearch/bonito, 1e1efb2), computed
// apart from this code.
type goldens struct {
	TaskTypes map[string]string `json:"task_types"`
	Prompts   []struct {
		Context string
		Task    string `json:"task_type"`
		Prompt  *string
	}
	Post []struct {
		Context, Prediction string
		Result              *struct{ Input, Output string }
	}
}

func readGoldens(t *testing.T) (g goldens) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "bonito_cases.json"))
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil || len(g.Prompts) != 54 || len(g.Post) != 144 {
		t.Fatal(len(g.Prompts), len(g.Post), err)
	}
	return g
}

func TestBonitoPromptsAreThePackages(t *testing.T) {
	g := readGoldens(t)
	if !maps.Equal(g.TaskTypes, TaskTypes) {
		t.Errorf("types of task %v, want %v", TaskTypes, g.TaskTypes)
	}
	for i, c := range g.Prompts {
		task, ok := taskType(c.Task)
		if ok != (c.Prompt != nil) {
			t.Errorf("case %d: type %q known: %v", i, c.Task, ok)
			continue
		}
		if ok && BonitoPrompt(task, c.Context) != *c.Prompt {
			t.Errorf("case %d: prompt %q, want %q", i, BonitoPrompt(task, c.Context), *c.Prompt)
		}
	}
}

func TestBonitoParsesAsThePackage(t *testing.T) {
	for i, c := range readGoldens(t).Post {
		input, output, pipes := ParseBonito(c.Prediction, c.Context)
		switch {
		case (pipes == 1) != (c.Result != nil):
			t.Errorf("case %d: %d pipes in %q", i, pipes, c.Prediction)
		case c.Result != nil && (input != c.Result.Input || output != c.Result.Output):
			t.Errorf("case %d: %q and %q, want %q and %q", i, input, output, c.Result.Input, c.Result.Output)
		}
	}
}

// A completion is a task if it holds one pipe, whatever else it and the text hold; a
// text that stands for the placeholder is there as it is, and not parsed again.
func FuzzParseBonito(f *testing.F) {
	f.Add(" Given {{context}}, is it so?\n<|pipe|>\nYes ", " a text ")
	f.Add("a<|pipe|>{{context}}", "{{context}}<|pipe|>")
	f.Fuzz(func(t *testing.T, completion, text string) {
		input, output, pipes := ParseBonito(completion, text)
		if pipes != strings.Count(completion, pipe) {
			t.Fatalf("%d pipes in %q", pipes, completion)
		}
		if pipes != 1 {
			if input != "" || output != "" {
				t.Fatalf("%q and %q of %d pipes", input, output, pipes)
			}
			return
		}
		before, after, _ := strings.Cut(completion, pipe)
		for raw, made := range map[string]string{before: input, after: output} {
			if strings.Contains(raw, placeholder) && !strings.Contains(made, data.PythonStrip(text)) {
				t.Errorf("%q is not in %q", data.PythonStrip(text), made)
			}
			if strings.Contains(made, placeholder) && !strings.Contains(text, "{") && !strings.Contains(text, "}") {
				t.Errorf("%q holds the placeholder", made)
			}
		}
	})
}
