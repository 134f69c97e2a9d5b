package scaffold

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/specs"
)

// maxGuesses bounds how many combinations of guesses are tried.
const maxGuesses = 200

// choice are the values that a field may get, the likeliest first. An empty one leaves
// the field out.
type choice struct {
	field  string
	values []string
}

// guesses are the combinations of what the fields of a kind may be, the likeliest
// first.
func (d *draft) guesses(kind specs.KindDoc) iter.Seq[[]field] {
	var choices []choice
	for _, f := range kind.Fields {
		if values := d.guess(kind, f); len(values) > 0 {
			choices = append(choices, choice{f.Name, values})
		}
	}
	return func(yield func([]field) bool) {
		at := make([]int, len(choices))
		for range maxGuesses {
			var fields []field
			for i, c := range choices {
				if text := c.values[at[i]]; text != "" {
					fields = append(fields, field{c.field, text})
				}
			}
			if !yield(fields) || !next(at, choices) {
				return
			}
		}
	}
}

// next is the next combination, the first field turning fastest.
func next(at []int, choices []choice) bool {
	for i := range at {
		if at[i]++; at[i] < len(choices[i].values) {
			return true
		}
		at[i] = 0
	}
	return false
}

// guess lists values for a field; none leaves it to its default.
func (d *draft) guess(kind specs.KindDoc, f specs.FieldDoc) []string {
	if value, ok := d.set(kind, f); ok {
		return []string{value}
	}
	switch {
	case f.Type == "column" && f.Default != "":
		columns := d.columns()
		if d.schema.Index(strings.Trim(f.Default, `"`)) >= 0 {
			columns = append([]string{""}, columns...)
		}
		return columns
	case !f.Required || f.Type == "struct":
		return nil
	}
	switch f.Type {
	case "column":
		return d.columns()
	case "list of column":
		return enclosed("[", d.columns(), "]")
	case "map of column":
		return enclosed("{", d.columns(), `: "renamed"}`)
	case "expression":
		return append(d.conditions(), `"true"`)
	case "map of expression":
		return enclosed("{value: ", append(d.measures(), `"1"`), "}")
	case "map of aggregate expression":
		return []string{`{rows: "count()"}`}
	case "path":
		if kind.Role == "sink" {
			return []string{d.outPath(kind)}
		}
		return []string{`"pocket"`}
	case "stream name":
		return []string{specs.Quote(strings.ToUpper(d.name()))}
	case "non-empty string":
		return append(d.templates(), specs.Quote(d.name()))
	}
	return literals(f.Type)
}

// set is the value that the author gave to a field.
func (d *draft) set(kind specs.KindDoc, f specs.FieldDoc) (string, bool) {
	value, ok := d.options.Set[kind.Name+"."+f.Name]
	if !ok {
		value, ok = d.options.Set[f.Name]
	}
	if ok && !written.MatchString(f.Type) {
		value = specs.Quote(value)
	}
	return value, ok
}

// written are the types whose values are no texts.
var written = regexp.MustCompile(`^(int|number|bool|list|map|struct)`)

var quoted = regexp.MustCompile(`"[^"]+"`)

// literals are values of a list of words, or of a range of numbers.
func literals(typ string) []string {
	switch {
	case strings.HasPrefix(typ, `"`):
		words := quoted.FindAllString(typ, -1)
		if i := slices.Index(words, `"stub"`); i > 0 { // which asks nobody
			words[0], words[i] = words[i], words[0]
		}
		return words
	case strings.HasPrefix(typ, "number"):
		return []string{"0.5"}
	case strings.HasPrefix(typ, "int"):
		return []string{"10"}
	}
	return nil
}

func enclosed(before string, texts []string, after string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = before + text + after
	}
	return all
}

// columns are the names of the columns, quoted: long texts first, then what has values
// in all rows.
func (d *draft) columns() []string {
	fields := slices.Clone(d.schema.Fields())
	slices.SortStableFunc(fields, func(a, b data.Field) int {
		x, y := d.facts[a.Name], d.facts[b.Name]
		return cmp.Or(cmp.Compare(y.length, x.length), cmp.Compare(x.nulls, y.nulls))
	})
	var names []string
	for _, f := range fields {
		names = append(names, specs.Quote(f.Name))
	}
	return names
}

// identifier is what a name must be to stand in an expression or a template.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// plainColumns are columns of a kind without nulls whose names can stand in an
// expression, the longest texts first.
func (d *draft) plainColumns(kinds ...data.Kind) []string {
	var names []string
	for _, q := range d.columns() {
		name := strings.Trim(q, `"`)
		f, ok := d.schema.Lookup(name)
		if ok && identifier.MatchString(name) && slices.Contains(kinds, f.Type.Kind) && f.Type.Logical == "" && d.facts[name].nulls == 0 {
			names = append(names, name)
		}
	}
	return names
}

// templates are texts that hold a column of texts.
func (d *draft) templates() []string {
	var all []string
	for _, f := range d.schema.Fields() {
		if f.Type.Kind == data.String && !strings.ContainsAny(f.Name, "{}") {
			all = append(all, f.Name)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(d.facts[b].length, d.facts[a].length), cmp.Compare(d.facts[a].nulls, d.facts[b].nulls))
	})
	for i, name := range all {
		all[i] = specs.Quote("{" + name + "}")
	}
	return all
}

// conditions are expressions that most rows meet.
func (d *draft) conditions() []string {
	all := enclosed(`"size(`, d.plainColumns(data.String), `) > 0"`)
	return append(all, enclosed(`"`, d.plainColumns(data.Int64, data.Float64, data.Float32), ` >= 0"`)...)
}

// measures are expressions with a value for each row.
func (d *draft) measures() []string {
	all := enclosed(`"size(`, d.plainColumns(data.String), `)"`)
	return append(all, enclosed(`"`, d.plainColumns(data.Int64, data.Float64, data.Float32, data.Bool), `"`)...)
}
