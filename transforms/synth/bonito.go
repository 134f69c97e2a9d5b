package synth

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/synth/endpoint"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Bonito",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newBonito,
	})
}

// BonitoPrompt is the prompt that a Bonito model was trained to complete, byte for
// byte; task is the full name of its type.
func BonitoPrompt(task, context string) string {
	return "<|tasktype|>\n" + task + "\n<|context|>\n" + data.PythonStrip(context) + "\n<|task|>\n"
}

const (
	pipe        = "<|pipe|>"
	placeholder = "{{context}}"
)

// ParseBonito takes a completion apart: the task's input and its output stand on
// either side of one pipe, and the context takes the place of its placeholder. pipes
// is the number of pipes; the completion is a task if that is 1.
func ParseBonito(completion, context string) (input, output string, pipes int) {
	parts := strings.Split(data.PythonStrip(completion), pipe)
	if len(parts) != 2 {
		return "", "", len(parts) - 1
	}
	context = data.PythonStrip(context)
	return strings.ReplaceAll(data.PythonStrip(parts[0]), placeholder, context), strings.ReplaceAll(data.PythonStrip(parts[1]), placeholder, context), 1
}

// BonitoConfig configures the kind Bonito; see specs.#Bonito.
type BonitoConfig struct {
	Column    string    `json:"column"`
	Preset    string    `json:"preset"`
	N         int       `json:"n"`
	Accept    int       `json:"accept"`
	Cut       string    `json:"cut"`
	ParseOnly bool      `json:"parseOnly"`
	Generator Generator `json:"generator"`
	TaskChoice
	Sampling
}

// presets are the temperature and top-p of the published package, and of the script
// behind the paper, which has them the other way round.
var presets = map[string][2]float64{"package": {0.5, 0.95}, "paper": {0.95, 0.5}}

// Bonito turns texts into tasks of instruction data: every completion that holds one
// is a row of its own.
type Bonito struct {
	draws
	config BonitoConfig
	column int
}

var (
	_ transforms.Windowed   = (*Bonito)(nil)
	_ transforms.Keeper     = (*Bonito)(nil)
	_ transforms.Closer     = (*Bonito)(nil)
	_ transforms.Metered    = (*Bonito)(nil)
	_ transforms.Modelled   = (*Bonito)(nil)
	_ transforms.Summarised = (*Bonito)(nil)
	_ transforms.Rehearsed  = (*Bonito)(nil)
)

func newBonito(config []byte) (transforms.Node, error) {
	b := &Bonito{}
	if err := transforms.Decode(config, &b.config); err != nil {
		return nil, err
	}
	c := &b.config
	preset := presets[c.Preset]
	c.Sampling = c.withDefaults(preset[0], preset[1])
	b.draws.n, b.draws.accept, b.draws.completer.config, b.parseOnly = c.N, c.Accept, c.Generator, c.ParseOnly
	errs := []error{c.Sampling.mistakes(), c.TaskChoice.mistakes(), c.Generator.mistakes()}
	if c.Generator.API == endpoint.Chat {
		errs = append(errs, &transforms.FieldError{Field: "generator.api", Message: "a chat template spoils Bonito's prompt", Hint: "use api completions, ollama or llamacpp"})
	}
	return upTo(c.Accept, b), errors.Join(errs...)
}

// messageType is the type of a message of a chat.
var messageType = data.Type{Kind: data.Struct, Fields: []data.Field{{Name: "role", Type: data.StringType}, {Name: "content", Type: data.StringType}}}

// Columns implements transforms.Node.
func (b *Bonito) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	err := transforms.NeedColumn(schema, "column", b.config.Column, data.String)
	if err := errors.Join(err, b.config.need(schema), b.find()); err != nil {
		return nil, err
	}
	b.column = schema.Index(b.config.Column)
	add := []data.Field{
		{Name: "task_type", Type: data.StringType},
		{Name: "input", Type: data.StringType},
		{Name: "output", Type: data.StringType},
		{Name: "messages", Type: data.ListOf(messageType, false)},
	}
	return b.ports(schema, append(add, drawFields...)...)
}

// Process implements transforms.Row.
func (b *Bonito) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	requests, judge, err := b.ask(r)
	if err != nil {
		return err
	}
	return b.process(ctx, r, requests, judge, emit)
}

// ask implements drawer.
func (b *Bonito) ask(r *data.Record) ([]endpoint.Request, judge, error) {
	text := r.Values[b.column]
	switch {
	case text.IsNull():
		return nil, nil, transforms.Reject("null", "column %s is null", b.config.Column)
	case !utf8.ValidString(text.Text()):
		return nil, nil, transforms.Reject("utf8", "column %s is not valid UTF-8", b.config.Column)
	}
	task, err := b.config.of(r)
	if err != nil {
		return nil, nil, err
	}
	judge := func(_ context.Context, a answer, q endpoint.Request) ([]data.Value, answer, error) {
		values, err := b.judge(a, q, task, text.Text())
		return values, a, err
	}
	return b.requests(b.config.Sampling, "", BonitoPrompt(task, text.Text()), nil), judge, nil
}

// judge makes the columns of a completion that is a task.
func (b *Bonito) judge(a answer, r endpoint.Request, task, text string) ([]data.Value, error) {
	if a.Finish == "length" && b.config.Cut == "reject" {
		return nil, transforms.Reject("length", "the completion is cut at maxTokens %d", r.MaxTokens)
	}
	input, output, pipes := ParseBonito(strings.ToValidUTF8(a.Text, "\uFFFD"), text)
	switch {
	case pipes == 0:
		return nil, transforms.Reject("no-pipe", "the completion has no %s between an input and an output", pipe)
	case pipes > 1:
		return nil, transforms.Reject("pipes", "the completion has %d times %s, a task has one", pipes, pipe)
	}
	message := func(role, content string) data.Value {
		return data.StructValue([]data.Value{data.StringValue(role), data.StringValue(content)})
	}
	values := []data.Value{
		data.StringValue(task), data.StringValue(input), data.StringValue(output),
		data.ListValue([]data.Value{message("user", input), message("assistant", output)}),
	}
	return append(values, drawValues(r.Draw, a)...), nil
}
