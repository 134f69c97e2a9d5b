package spectest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/specs"
)

// object is a row as JSON.
type object map[string]any

// expected is a row that a test expects.
type expected struct {
	object
	pos  specs.Position
	text []byte
}

// compare compares the rows at a port with those expected.
func (r *Result) compare(want specs.PortRows, got *rows) {
	wanted := make([]expected, len(want.Rows))
	for i, row := range want.Rows {
		o, err := decode(row.JSON)
		if err == nil {
			err = knownColumns(o, got.schema)
		}
		if err != nil {
			r.fail(row.Pos, "expect %s: %v", want.Key, err)
			return
		}
		wanted[i] = expected{o, row.Pos, row.JSON}
	}
	have := make([]object, len(got.records))
	texts := make([][]byte, len(got.records))
	for i, record := range got.records {
		texts[i] = bytes.TrimSpace(jsonl.AppendRow(nil, record.Schema, record.Values))
		o, err := decode(texts[i])
		if err != nil {
			r.fail(want.Pos, "%s: row %s: %v", want.Key, record.ID, err)
			return
		}
		have[i] = o
	}
	if len(wanted) != len(have) {
		r.fail(want.Pos, "%s: want %d rows, have %d", want.Key, len(wanted), len(have))
	}
	for _, p := range align(len(wanted), len(have), func(i, j int) bool { return len(r.differing(wanted[i].object, have[j])) == 0 }) {
		switch {
		case p.want < 0:
			r.Failures = append(r.Failures, Failure{want.Pos, fmt.Sprintf("%s: row %s is not expected", want.Key, got.records[p.have].ID), []string{"+ " + shortened(texts[p.have])}})
		case p.have < 0:
			r.Failures = append(r.Failures, Failure{wanted[p.want].pos, fmt.Sprintf("%s: row %d is missing", want.Key, p.want+1), []string{"- " + shortened(wanted[p.want].text)}})
		default:
			w := wanted[p.want]
			r.Failures = append(r.Failures, Failure{w.pos, fmt.Sprintf("%s: row %s differs", want.Key, got.records[p.have].ID), r.columnDiff(w.object, have[p.have])})
		}
	}
}

// decode reads a JSON object and keeps its numbers as they are written.
func decode(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var o object
	err := d.Decode(&o)
	return o, err
}

// knownColumns refuses a row with a column that the port does not have.
func knownColumns(o object, schema *data.Schema) error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if schema.Index(name) >= 0 {
			continue
		}
		if near, ok := schema.Nearest(name); ok {
			return fmt.Errorf("no column %q (did you mean %q?)", name, near)
		}
		return fmt.Errorf("no column %q (it has %s)", name, strings.Join(schema.Names(), ", "))
	}
	return nil
}

// differing lists the columns of a row that are not as expected, sorted.
func (r *Result) differing(want, have object) []string {
	var names []string
	for name := range want {
		tolerance, own := r.Test.Tolerances[name]
		if !own {
			tolerance = r.Test.Tolerance
		}
		if !(jsonl.Distance(want[name], have[name]) <= tolerance) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// columnDiff shows the columns that differ, one below the other.
func (r *Result) columnDiff(want, have object) []string {
	names := r.differing(want, have)
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	var lines []string
	for _, name := range names {
		w, h := apart(asText(want[name]), asText(have[name]))
		lines = append(lines, fmt.Sprintf("- %-*s  %s", width, name, w), fmt.Sprintf("+ %-*s  %s", width, name, h))
	}
	return lines
}

func asText(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil { // of what was decoded
		return nil
	}
	return bytes.TrimSpace(b.Bytes())
}

// shown is the number of bytes of a value that a comparison shows, and before is how
// many of them may stand before the first difference.
const (
	shown  = 120
	before = 40
)

// apart shortens two texts to where they begin to differ.
func apart(a, b []byte) (string, string) {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	if max(len(a), len(b)) <= shown || same <= before {
		return shortened(a), shortened(b)
	}
	from := same - before
	return "…" + shortened(a[from:]), "…" + shortened(b[from:])
}

func shortened(text []byte) string {
	if len(text) <= shown {
		return strings.ToValidUTF8(string(text), "")
	}
	return strings.ToValidUTF8(string(text[:shown]), "") + "…"
}
