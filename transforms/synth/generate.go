package synth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/synth/endpoint"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Generate",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newGenerate,
	})
}

// GenerateConfig configures the kind Generate; see specs.#Generate.
type GenerateConfig struct {
	Prompt     string             `json:"prompt"`
	System     string             `json:"system"`
	N          int                `json:"n"`
	Accept     int                `json:"accept"`
	Schema     json.RawMessage    `json:"schema"`
	Columns    transforms.Columns `json:"columns"`
	Repair     int                `json:"repair"`
	Cut        string             `json:"cut"`
	KeepPrompt bool               `json:"keepPrompt"`
	ParseOnly  bool               `json:"parseOnly"`
	Generator  Generator          `json:"generator"`
	Sampling
}

// Generate completes a prompt made of a row's columns, n times. Every completion is a
// row of its own.
type Generate struct {
	draws
	config         GenerateConfig
	system, prompt transforms.Template
	structure      *structure
}

var (
	_ transforms.Windowed   = (*Generate)(nil)
	_ transforms.Keeper     = (*Generate)(nil)
	_ transforms.Closer     = (*Generate)(nil)
	_ transforms.Metered    = (*Generate)(nil)
	_ transforms.Modelled   = (*Generate)(nil)
	_ transforms.Summarised = (*Generate)(nil)
	_ transforms.Rehearsed  = (*Generate)(nil)
)

func newGenerate(config []byte) (transforms.Node, error) {
	g := &Generate{}
	if err := transforms.Decode(config, &g.config); err != nil {
		return nil, err
	}
	c := &g.config
	c.Sampling = c.withDefaults(0, 1)
	g.draws.n, g.draws.accept, g.draws.completer.config, g.parseOnly = c.N, c.Accept, c.Generator, c.ParseOnly
	errs := []error{c.Sampling.mistakes(), c.Generator.mistakes()}
	if c.System != "" && c.Generator.API != endpoint.Chat {
		errs = append(errs, &transforms.FieldError{Field: "system", Message: "api " + c.Generator.API + " takes a prompt alone", Hint: "put it in front of the prompt, or use api chat"})
	}
	if len(c.Schema) == 0 && len(c.Columns) > 0 {
		errs = append(errs, &transforms.FieldError{Field: "columns", Message: "are keys of a schema, and there is none"})
	}
	if len(c.Schema) > 0 {
		var err error
		g.structure, err = newStructure(c.Schema, c.Columns)
		errs = append(errs, err)
	}
	return upTo(c.Accept, g), errors.Join(errs...)
}

// Columns implements transforms.Node.
func (g *Generate) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	var err, wrong error
	if g.prompt, err = transforms.ParseTemplate("prompt", g.config.Prompt, schema); err == nil && !g.prompt.HasColumn() {
		err = &transforms.FieldError{Field: "prompt", Message: "names no column, so that every row asks the same", Hint: `columns stand in braces: "Document: {text}"`}
	}
	g.system, wrong = transforms.ParseTemplate("system", g.config.System, schema)
	if err := errors.Join(err, wrong, g.find()); err != nil {
		return nil, err
	}
	var add []data.Field
	if g.config.KeepPrompt {
		add = append(add, data.Field{Name: "prompt", Type: data.StringType})
	}
	add = append(add, data.Field{Name: "completion", Type: data.StringType})
	add = append(add, drawFields...)
	if g.structure != nil {
		add = append(add, g.structure.columns...)
	}
	return g.ports(schema, add...)
}

// Process implements transforms.Row.
func (g *Generate) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	requests, judge, err := g.ask(r)
	if err != nil {
		return err
	}
	return g.process(ctx, r, requests, judge, emit)
}

// ask implements drawer.
func (g *Generate) ask(r *data.Record) ([]endpoint.Request, judge, error) {
	prompt, err := g.prompt.Fill(r, nil)
	if err != nil {
		return nil, nil, err
	}
	system, err := g.system.Fill(r, nil)
	if err != nil {
		return nil, nil, err
	}
	return g.requests(g.config.Sampling, system, prompt, g.config.Schema), g.judge, nil
}

// judge takes a completion that is whole and follows the schema; one that does not is
// asked for again.
func (g *Generate) judge(ctx context.Context, a answer, r endpoint.Request) ([]data.Value, answer, error) {
	text := strings.ToValidUTF8(a.Text, "\uFFFD")
	var columns []data.Value
	first := r.Prompt
	for repairs := 0; ; repairs++ {
		if a.Finish == "length" && g.config.Cut == "reject" {
			return nil, a, transforms.Reject("length", "the completion is cut at maxTokens %d", r.MaxTokens)
		}
		if g.structure == nil {
			break
		}
		compact, values, wrong := g.structure.read(text)
		if wrong == nil {
			text, columns = compact, values
			break
		}
		if repairs == g.config.Repair {
			return nil, a, transforms.Reject("schema", "the completion does not follow the schema: %v", wrong)
		}
		r.Prompt = g.structure.repair(first, text, wrong)
		next, err := g.complete(ctx, r)
		next.Attempts = append(a.Attempts[:len(a.Attempts):len(a.Attempts)], next.Attempts...)
		if err != nil {
			return nil, next, err
		}
		a, text = next, strings.ToValidUTF8(next.Text, "\uFFFD")
	}
	var values []data.Value
	if g.config.KeepPrompt {
		values = append(values, data.StringValue(first))
	}
	values = append(values, data.StringValue(text))
	values = append(values, drawValues(r.Draw, a)...)
	return append(values, columns...), a, nil
}
