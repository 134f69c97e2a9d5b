package synth

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "BonitoMeta",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newBonitoMeta,
	})
}

// MetaTarget is what a Bonito model learns to give for a context: the inverse of
// ParseBonito. The context gives way to its placeholder in a task's input and output.
// An error rejects the task: the model could not learn it, or what it would give could
// not be taken apart again.
func MetaTarget(context, input, output string) (string, error) {
	context, input, output = data.PythonStrip(context), data.PythonStrip(input), data.PythonStrip(output)
	for _, part := range []struct{ name, text string }{{"context", context}, {"input", input}, {"output", output}} {
		switch {
		case part.text == "":
			return "", transforms.Reject("empty", "the %s has no text", part.name)
		case part.name != "context" && strings.Contains(part.text, pipe):
			return "", transforms.Reject("pipes", "the %s holds %s", part.name, pipe)
		}
	}
	input, output = strings.ReplaceAll(input, context, placeholder), strings.ReplaceAll(output, context, placeholder)
	if !strings.Contains(input, placeholder) {
		return "", transforms.Reject("no-context", "the input does not hold the context")
	}
	return input + "\n" + pipe + "\n" + output, nil
}

// BonitoMetaConfig configures the kind BonitoMeta; see specs.#BonitoMeta.
type BonitoMetaConfig struct {
	Context string `json:"context"`
	Input   string `json:"input"`
	Output  string `json:"output"`
	TaskChoice
}

// BonitoMeta makes rows to train a Bonito model on: tasks about a context become the
// prompt that asks for them and the completion that holds them (Nayak et al. 2024,
// section 3).
type BonitoMeta struct {
	config BonitoMetaConfig
	out    *data.Schema
}

var _ transforms.Row = (*BonitoMeta)(nil)

func newBonitoMeta(config []byte) (transforms.Node, error) {
	n := &BonitoMeta{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	return n, n.config.mistakes()
}

// columns are those of a task, by the fields that name them.
func (c BonitoMetaConfig) columns() [3][2]string {
	return [3][2]string{{"context", c.Context}, {"input", c.Input}, {"output", c.Output}}
}

// Columns implements transforms.Node.
func (n *BonitoMeta) Columns(in transforms.Ports) (transforms.Ports, error) {
	s := in.Get(transforms.In)
	errs := []error{n.config.need(s)}
	for _, c := range n.config.columns() {
		errs = append(errs, transforms.NeedColumn(s, c[0], c[1], data.String))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	n.out, err = transforms.AddColumns(s, "",
		data.Field{Name: "task_type", Type: data.StringType},
		data.Field{Name: "prompt", Type: data.StringType},
		data.Field{Name: "completion", Type: data.StringType})
	return transforms.OutPort(n.out), err
}

// Process implements transforms.Row.
func (n *BonitoMeta) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	task, err := n.config.of(r)
	if err != nil {
		return err
	}
	var texts [3]string
	for i, c := range n.config.columns() {
		v := r.Get(c[1])
		if v.IsNull() {
			return transforms.Reject("null", "column %s is null", c[1])
		}
		if texts[i] = v.Text(); !utf8.ValidString(texts[i]) {
			return transforms.Reject("utf8", "column %s is not valid UTF-8", c[1])
		}
	}
	completion, err := MetaTarget(texts[0], texts[1], texts[2])
	if err != nil {
		return err
	}
	prompt := BonitoPrompt(task, texts[0])
	emit(transforms.Out, r.Append(n.out, data.StringValue(task), data.StringValue(prompt), data.StringValue(completion)))
	return nil
}
