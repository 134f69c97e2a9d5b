package synth

import (
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var tasksOfP3 = data.MustSchema(
	data.Field{Name: "context", Type: data.StringType, Nullable: true},
	data.Field{Name: "input", Type: data.StringType, Nullable: true},
	data.Field{Name: "output", Type: data.StringType, Nullable: true},
	data.Field{Name: "type", Type: data.StringType, Nullable: true})

// meta makes a row of tasksOfP3 a row to train on.
func meta(t *testing.T, values ...data.Value) (rows []*data.Record, err error) {
	t.Helper()
	n, err := newBonitoMeta([]byte(`{"context": "context", "input": "input", "output": "output", "taskColumn": "type"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: tasksOfP3}}); err != nil {
		t.Fatal(err)
	}
	r := &data.Record{Schema: tasksOfP3, ID: data.KeyID("x"), Values: values}
	err = n.(transforms.Row).Process(t.Context(), r, func(_ string, r *data.Record) { rows = append(rows, r) })
	return rows, err
}

func TestBonitoMetaMakesWhatBonitoIsAsked(t *testing.T) {
	s := data.StringValue
	rows, err := meta(t, s(" Snow is white.\n"), s("Snow is white.\nIs snow white? "), s(" Yes"), s("ynqa"))
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if got, want := rows[0].Get("prompt").Text(), BonitoPrompt("yes-no question answering", "Snow is white."); got != want {
		t.Errorf("prompt %q, want %q", got, want)
	}
	if got := rows[0].Get("completion").Text(); got != "{{context}}\nIs snow white?\n<|pipe|>\nYes" {
		t.Errorf("completion %q", got)
	}
	if got := rows[0].Get("task_type").Text(); got != "yes-no question answering" {
		t.Errorf("type %q", got)
	}
	for want, values := range map[string][]data.Value{
		"no-context": {s("Snow is white."), s("Is snow white?"), s("Yes"), s("ynqa")},
		"pipes":      {s("Snow"), s("Snow<|pipe|>?"), s("Yes"), s("ynqa")},
		"empty":      {s("Snow"), s("Snow?"), s(" "), s("ynqa")},
		"null":       {s("Snow"), {}, s("Yes"), s("ynqa")},
		"utf8":       {s("Snow"), s("Snow?\xff"), s("Yes"), s("ynqa")},
		"task":       {s("Snow"), s("Snow?"), s("Yes"), s("riddle")},
	} {
		if rows, err := meta(t, values...); len(rows) != 0 || !slices.Equal(classes(err), []string{want}) {
			t.Errorf("%s: %v, %v", want, rows, err)
		}
	}
}

// What the published package reads from a completion is read again from the target
// that is made of it.
func TestMetaTargetIsTheInverseOfTheParse(t *testing.T) {
	turned := 0
	for i, c := range readGoldens(t).Post {
		if c.Result == nil {
			continue
		}
		target, err := MetaTarget(c.Context, c.Result.Input, c.Result.Output)
		if err != nil {
			continue
		}
		turned++
		input, output, pipes := ParseBonito(target, c.Context)
		if want := data.PythonStrip(c.Result.Input); pipes != 1 || input != want || output != data.PythonStrip(c.Result.Output) {
			t.Errorf("case %d: %q and %q, want %q and %q", i, input, output, want, c.Result.Output)
		}
	}
	if turned < 10 {
		t.Errorf("only %d of the cases make a target", turned)
	}
}

// A target is taken apart into the task it was made of, unless the task itself spells
// out the placeholder.
func FuzzMetaTarget(f *testing.F) {
	f.Add("Snow is white.", "Snow is white. Is it?", "Yes")
	f.Add("a", "aaa", "a{{context}}")
	f.Add("<|pipe|>", "x<|pi<|pipe|>pe|>", "y")
	f.Add("|>{{", "x|>{{context}}", "y")
	f.Fuzz(func(t *testing.T, context, input, output string) {
		target, err := MetaTarget(context, input, output)
		if err != nil {
			return
		}
		in, out, pipes := ParseBonito(target, context)
		if pipes != 1 {
			t.Fatalf("%d pipes in %q", pipes, target)
		}
		if !strings.Contains(input+output+context, "{") && (in != data.PythonStrip(input) || out != data.PythonStrip(output)) {
			t.Errorf("%q and %q, want %q and %q", in, out, data.PythonStrip(input), data.PythonStrip(output))
		}
	})
}
