package transforms_test

import (
	"errors"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var texts = data.MustSchema(data.Field{Name: "text", Type: data.StringType, Nullable: true}, data.Field{Name: "n", Type: data.Int64Type})

func TestTemplates(t *testing.T) {
	r := &data.Record{Schema: texts, Values: []data.Value{data.StringValue("{n} snow"), data.Int64Value(7)}}
	for text, want := range map[string]string{
		"{text}/{n}":            "{n} snow/7",
		"{{}} {{{n}}} {{text}}": "{} {7} {text}",
		"plain":                 "plain",
	} {
		tmpl, err := transforms.ParseTemplate("prompt", text, texts)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Fill(r, nil); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"{", "}", "{text", "{txt}", "a } b"} {
		var wrong *transforms.FieldError
		if _, err := transforms.ParseTemplate("prompt", text, texts); !errors.As(err, &wrong) || wrong.Field != "prompt" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever a template is, it is refused or filled; a text without braces stays.
func FuzzTemplate(f *testing.F) {
	f.Add("{text} {{ }} {n}")
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := transforms.ParseTemplate("prompt", text, texts)
		if err != nil {
			return
		}
		got, err := tmpl.Fill(&data.Record{Schema: texts, Values: []data.Value{data.StringValue("x"), data.Int64Value(7)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.ContainsAny(text, "{}") && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
