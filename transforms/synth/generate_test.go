package synth

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var texts = data.MustSchema(data.Field{Name: "text", Type: data.StringType, Nullable: true}, data.Field{Name: "n", Type: data.Int64Type})

// configure fills in the defaults of the schema.
func configure(t testing.TB, kind string, generator, set map[string]any) []byte {
	t.Helper()
	g := map[string]any{"timeout": "2s", "attempts": 4, "backoff": "1ms", "concurrency": 8, "batch": 1, "batchWait": "5ms"}
	maps.Copy(g, generator)
	c := map[string]any{"generator": g, "n": 1, "maxTokens": 64, "cut": "keep"}
	if kind == "Generate" {
		maps.Copy(c, map[string]any{"prompt": "About {text}:", "repair": 1, "temperature": 0, "topP": 1})
	} else {
		maps.Copy(c, map[string]any{"column": "text", "preset": "package"})
	}
	maps.Copy(c, set)
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// node makes and opens a node whose memo lies below state.
func node(t testing.TB, kind, state string, generator, set map[string]any) transforms.Row {
	t.Helper()
	k, _ := transforms.Lookup(kind)
	n, err := k.New(configure(t, kind, generator, set))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: texts}}); err != nil {
		t.Fatal(err)
	}
	if err := n.(transforms.Keeper).Open(t.Context(), transforms.Run{State: state}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.(transforms.Closer).Close() })
	return n.(transforms.Row)
}

// ask runs a row through a node and returns what came of it, by column.
func ask(ctx context.Context, n transforms.Row, text data.Value) (rows []map[string]data.Value, err error) {
	r := &data.Record{Schema: texts, ID: data.KeyID("x"), Values: []data.Value{text, data.Int64Value(7)}}
	err = n.Process(ctx, r, func(_ string, r *data.Record) {
		row := map[string]data.Value{}
		for i, name := range r.Schema.Names() {
			row[name] = r.Values[i]
		}
		rows = append(rows, row)
	})
	return rows, err
}

// classes are those of the parts that an error rejects.
func classes(err error) (all []string) {
	var parts transforms.PartsRejected
	if errors.As(err, &parts) {
		for _, p := range parts {
			all = append(all, p.Class)
		}
	} else if err != nil {
		all = []string{transforms.AsRejected(&data.Record{}, err).Class}
	}
	return all
}

// fixture writes recorded answers: prompt, draw, completion and finish reason.
func fixture(t testing.TB, answers ...[4]any) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "answers.jsonl")
	var b strings.Builder
	for _, a := range answers {
		line, err := json.Marshal(map[string]any{"prompt": a[0], "draw": a[1], "completion": a[2], "finish_reason": a[3]})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"api": "recorded", "file": path}
}

func TestEveryDrawIsARowOrAReject(t *testing.T) {
	answers := fixture(t, [4]any{"About snow:", 0, "It is white.", "stop"}, [4]any{"About snow:", 2, "It is", "length"})
	n := node(t, "Generate", "", answers, map[string]any{"n": 3, "cut": "reject"})
	rows, err := ask(t.Context(), n, data.StringValue("snow"))
	if len(rows) != 1 || rows[0]["completion"].Text() != "It is white." || rows[0]["draw"].Int64() != 0 || rows[0]["n"].Int64() != 7 {
		t.Errorf("rows %v", rows)
	}
	if got := classes(err); !slices.Equal(got, []string{"unrecorded", "length"}) {
		t.Errorf("rejected for %v", got)
	}
	var parts transforms.PartsRejected
	if !errors.As(err, &parts) || parts[1].Record.Get("completion").Text() != "It is" || parts[1].Record.Get("draw").Int64() != 2 || parts[1].Record.Get("text").Text() != "snow" {
		t.Errorf("rejects %v", parts)
	}
	for _, v := range []data.Value{{}, data.StringValue("\xff")} {
		if rows, err := ask(t.Context(), n, v); len(rows) != 0 || len(classes(err)) != 1 || !strings.Contains("null utf8", classes(err)[0]) {
			t.Errorf("%v: %v, %v", v, rows, err)
		}
	}
}

func TestStructuredOutputIsCheckedAndRepaired(t *testing.T) {
	schema := map[string]any{"type": "object", "required": []string{"label"}, "properties": map[string]any{"label": map[string]any{"enum": []string{"yes", "no"}}, "why": map[string]any{"type": "string"}}}
	set := map[string]any{"schema": schema, "columns": map[string]any{"label": "string"}, "repair": 1}
	again := func(bad, wrong string) string {
		return "About snow:\n\n" + bad + "\n\nThis answer does not follow the schema: " + wrong + ". Give the answer again, as JSON that follows the schema, and nothing else.\n"
	}
	for _, c := range []struct {
		name    string
		answers [][4]any
		label   string
		want    string
		class   string
	}{
		{"right at once", [][4]any{{"About snow:", 0, "```json\n{ \"label\": \"yes\" }\n```", "stop"}}, "yes", `{"label":"yes"}`, ""},
		{"repaired", [][4]any{{"About snow:", 0, `{"label":"maybe"}`, "stop"}, {again(`{"label":"maybe"}`, "at '/label': value must be one of 'yes', 'no'"), 0, `{"label":"no"}`, "stop"}}, "no", `{"label":"no"}`, ""},
		{"wrong twice", [][4]any{{"About snow:", 0, `{"label":"maybe"}`, "stop"}, {again(`{"label":"maybe"}`, "at '/label': value must be one of 'yes', 'no'"), 0, `{}`, "stop"}}, "", "", "schema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := ask(t.Context(), node(t, "Generate", "", fixture(t, c.answers...), set), data.StringValue("snow"))
			if c.class != "" {
				if got := classes(err); !slices.Equal(got, []string{c.class}) {
					t.Errorf("rejected for %v: %v", got, err)
				}
				return
			}
			if err != nil || len(rows) != 1 || rows[0]["label"].Text() != c.label || rows[0]["completion"].Text() != c.want {
				t.Errorf("rows %v, %v", rows, err)
			}
		})
	}
}

func TestBonitoRowsAndRejects(t *testing.T) {
	prompt := BonitoPrompt("yes-no question answering", " Snow is white. ")
	answers := fixture(t,
		[4]any{prompt, 0, "{{context}}\nIs snow white?\n<|pipe|>\nYes", "stop"},
		[4]any{prompt, 1, "no pipe", "stop"},
		[4]any{prompt, 2, "a<|pipe|>b<|pipe|>c", "stop"},
		[4]any{prompt, 3, "Is it?<|pipe|>Y", "length"})
	n := node(t, "Bonito", "", answers, map[string]any{"task": "ynqa", "n": 5, "cut": "reject"})
	rows, err := ask(t.Context(), n, data.StringValue(" Snow is white. "))
	if len(rows) != 1 || rows[0]["input"].Text() != "Snow is white.\nIs snow white?" || rows[0]["output"].Text() != "Yes" || rows[0]["task_type"].Text() != "yes-no question answering" {
		t.Fatalf("rows %v", rows)
	}
	chat := rows[0]["messages"].List()
	if len(chat) != 2 || chat[0].Struct()[0].Text() != "user" || chat[0].Struct()[1].Text() != rows[0]["input"].Text() || chat[1].Struct()[1].Text() != "Yes" {
		t.Errorf("messages %v", chat)
	}
	if got := classes(err); !slices.Equal(got, []string{"no-pipe", "pipes", "length", "unrecorded"}) {
		t.Errorf("rejected for %v", got)
	}
	kept, _ := ask(t.Context(), node(t, "Bonito", "", answers, map[string]any{"task": "yes-no question answering", "n": 5}), data.StringValue(" Snow is white. "))
	if len(kept) != 2 || kept[1]["output"].Text() != "Y" {
		t.Errorf("cut completions kept: %v", kept)
	}
}

func TestPresetsAreThePublishedOnes(t *testing.T) {
	for name, want := range map[string][2]float64{"package": {0.5, 0.95}, "paper": {0.95, 0.5}} {
		b, err := newBonito(configure(t, "Bonito", map[string]any{"api": "stub"}, map[string]any{"task": "nli", "preset": name}))
		if err != nil {
			t.Fatal(err)
		}
		if s := b.(*Bonito).config.Sampling; *s.Temperature != want[0] || *s.TopP != want[1] {
			t.Errorf("%s: temperature %g, topP %g", name, *s.Temperature, *s.TopP)
		}
	}
}
