package events

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/data/nats"
	"penstock.dev/transforms"
)

var rows = data.MustSchema(
	data.Field{Name: "lang", Type: data.StringType, Nullable: true},
	data.Field{Name: "n", Type: data.Int64Type},
	data.Field{Name: "score", Type: data.Float64Type},
)

func row(lang data.Value) *data.Record {
	return &data.Record{Schema: rows, Values: []data.Value{lang, data.Int64Value(7), data.Float64Value(0.5)}}
}

func TestTemplate(t *testing.T) {
	for _, tt := range []struct {
		text   string
		lang   data.Value
		want   string // or "!" and the class of the refusal
		filter string
	}{
		{"results", data.StringValue("en"), "results", "results"},
		{"results.{lang}", data.StringValue("en"), "results.en", "results.*"},
		{"results.{lang}-{n}.x", data.StringValue("en"), "results.en-7.x", "results.*.x"},
		{"{lang}.{n}", data.StringValue("é"), "é.7", "*.*"},
		{"results.{lang}", data.Value{}, "!null", "results.*"},
		{"results.{lang}", data.StringValue(""), "!subject", "results.*"},
		{"results.{lang}", data.StringValue("a.b"), "!subject", "results.*"},
		{"results.{lang}", data.StringValue("*"), "!subject", "results.*"},
		{"results.{lang}", data.StringValue(">"), "!subject", "results.*"},
		{"results.{lang}", data.StringValue("a b"), "!subject", "results.*"},
		{"results.{lang}", data.StringValue("a\r\nPUB x 0"), "!subject", "results.*"},
	} {
		template, err := transforms.ParseTemplate("subject", tt.text, rows)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter(template); got != tt.filter {
			t.Errorf("%s: filter %q, want %q", tt.text, got, tt.filter)
		}
		got, err := template.Fill(row(tt.lang), checkToken)
		if err != nil {
			got = "!" + transforms.AsRejected(row(tt.lang), err).Class
		}
		if got != tt.want {
			t.Errorf("%s of %v: %q, want %q", tt.text, tt.lang, got, tt.want)
		}
	}
}

// Whatever a column holds, a subject is one that can be published to, with the
// tokens of the template.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{"en", "", ".", "a.b", "*", ">", " ", "\x00", "\r\n", "\xff", "é", "{n}"} {
		f.Add(s)
	}
	template, err := transforms.ParseTemplate("subject", "a.{lang}.b{lang}", rows)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, lang string) {
		subject, err := template.Fill(row(data.StringValue(lang)), checkToken)
		var refused *transforms.RejectError
		if err != nil {
			if !errors.As(err, &refused) || len(refused.Message) > 400 {
				t.Fatalf("%q: %v", lang, err)
			}
			return
		}
		if strings.Count(subject, ".") != 2 || strings.ContainsAny(subject, "*> \t\r\n\x00") || !isFilter(subject) || !utf8.ValidString(subject) {
			t.Errorf("%q makes the subject %q", lang, subject)
		}
	})
}

func subscribeNode(t *testing.T, fields map[string]any) (*Subscribe, error) {
	t.Helper()
	config := map[string]any{
		"nats": map[string]any{"url": "nats://host"}, "stream": "S", "durable": "d", "payload": "json", "unknown": "reject", "start": "all",
		"column": "payload", "batch": 10, "maxAckPending": 10, "ackWait": "30s", "maxDeliver": 5,
	}
	for name, value := range fields {
		config[name] = value
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newSubscribe(b)
	if err != nil {
		return nil, err
	}
	s := n.(*Subscribe)
	_, err = s.Columns(nil)
	return s, err
}

// An event becomes a row of its payload and of what the graph asks for beside it.
func TestEventAsRow(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	message := func(payload string) *nats.Message {
		return &nats.Message{Subject: "e.x", Sequence: 17, Time: at, Data: []byte(payload), Header: map[string][]string{"Lang": {"en", "fr"}}}
	}
	beside := map[string]any{
		"subjectColumn": "subject", "sequenceColumn": "seq", "timeColumn": "time", "headers": map[string]string{"lang": "Lang", "absent": "None"},
	}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{}
		maps.Copy(all, beside)
		maps.Copy(all, more)
		return all
	}
	tail := `subject=e.x seq=17 time=2026-01-02T03:04:05.000006Z absent= lang=en`
	for _, tt := range []struct {
		name    string
		fields  map[string]any
		payload string
		want    string // or "!" and the class of the refusal
	}{
		{"json", with(map[string]any{"columns": map[string]string{"n": "int64", "text": "string"}}), `{"text": "a", "n": 3}`, "n=3 text=a " + tail},
		{"null", with(map[string]any{"columns": map[string]string{"n": "int64"}}), `{"n": null}`, "n= " + tail},
		{"unknown", map[string]any{"columns": map[string]string{"n": "int64"}}, `{"n": 1, "m": 2}`, "!schema"},
		{"unknown dropped", map[string]any{"columns": map[string]string{"n": "int64"}, "unknown": "drop"}, `{"n": 1, "m": {"x": [2]}}`, "n=1"},
		{"missing", map[string]any{"columns": map[string]string{"n": "int64"}, "unknown": "drop"}, `{"m": 2}`, "!schema"},
		{"text", with(map[string]any{"payload": "text", "column": "body"}), "a\nb", "body=a\nb " + tail},
		{"empty text", map[string]any{"payload": "text"}, "", "payload="},
		{"text that is none", map[string]any{"payload": "text"}, "\xff", "!utf8"},
		{"bytes", map[string]any{"payload": "bytes"}, "\xff\x00", "payload=/wA="},
	} {
		n, err := subscribeNode(t, tt.fields)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		s := &subscription{config: n.config, shape: n.shape.Load()}
		values, err := s.values(message(tt.payload))
		got := ""
		if err != nil {
			got = "!" + transforms.AsRejected(&data.Record{}, err).Class
		} else {
			for i, f := range s.shape.schema.Fields() {
				got += " " + f.Name + "=" + string(data.AppendText(nil, values[i], f.Type))
			}
			got = got[1:]
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A key column makes ids like those of a file with that key, so that what is drawn
// at random for a row is the same.
func TestKeyOfAnEvent(t *testing.T) {
	n, err := subscribeNode(t, map[string]any{"columns": map[string]string{"id": "string"}, "key": "id"})
	if err != nil {
		t.Fatal(err)
	}
	s := &subscription{config: n.config, shape: n.shape.Load()}
	id := func(v data.Value) (data.ID, error) {
		return s.id(&data.Record{Schema: s.shape.schema, ID: data.ID{Source: "S", Row: 1}, Values: []data.Value{v}})
	}
	if got, err := id(data.StringValue("doc-7")); err != nil || got != data.KeyID("doc-7") {
		t.Errorf("id %v, %v", got, err)
	}
	if _, err := id(data.Value{}); err == nil {
		t.Error("an event without a key was taken")
	}
}
