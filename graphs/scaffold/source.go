package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"penstock.dev/data"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// readers are the kinds of sources by the end of a file's name.
var readers = map[string]string{
	".parquet": "ReadParquet",
	".jsonl":   "ReadJSONL", ".ndjson": "ReadJSONL", ".json": "ReadJSONL",
	".csv": "ReadCSV", ".tsv": "ReadCSV",
	".txt": "ReadText", ".md": "ReadText",
	".jpg": "ReadImages", ".jpeg": "ReadImages", ".png": "ReadImages", ".gif": "ReadImages", ".bmp": "ReadImages", ".tif": "ReadImages", ".tiff": "ReadImages", ".webp": "ReadImages",
}

// readerOf is the kind that reads a file, or the first file of a folder that some kind
// reads.
func readerOf(path string) (string, error) {
	name := path
	for _, packed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, packed)
	}
	if kind, ok := readers[strings.ToLower(filepath.Ext(name))]; ok {
		return kind, nil
	}
	found := ""
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if found = readers[strings.ToLower(filepath.Ext(name))]; found != "" {
			return filepath.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("%s: no kind reads files of that name (they end in .parquet, .jsonl, .csv, .txt or that of an image)", path)
	}
	return found, err
}

// facts are what the first rows show of a column.
type facts struct {
	nulls  int
	length int // of texts, the mean in bytes
	unique bool
}

// headRows is how many rows are looked at.
const headRows = 1000

// read begins the draft with a source.
func (d *draft) read(ctx context.Context) error {
	name, err := readerOf(d.options.Data)
	if err != nil {
		return err
	}
	kind, err := kindNamed(name)
	if err != nil {
		return err
	}
	n := node{name: "read", kind: kind, fields: []field{{"path", "param.input"}}}
	if err := d.try([]node{n}); err != nil {
		return err
	}
	records, err := d.head(ctx, kind)
	if err != nil {
		return err
	}
	d.facts = factsOf(d.schema, records)
	declared := field{"columns", d.declaration()}
	takesColumns := hasField(kind, "columns") && declared.text != "{}"
	if !hasField(kind, "key") {
		return nil
	}
	for _, key := range append(d.keys(), "") {
		for _, declares := range []bool{true, false} {
			m := n
			if declares && takesColumns {
				m.fields = append(m.fields[:1:1], declared)
			}
			if key != "" {
				m.fields = append(m.fields[:len(m.fields):len(m.fields)], field{"key", specs.Quote(key)})
			}
			if d.try([]node{m}) == nil {
				return nil
			}
		}
	}
	return nil
}

func hasField(kind specs.KindDoc, name string) bool {
	for _, f := range kind.Fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

var errEnough = errors.New("enough")

// head reads the first rows.
func (d *draft) head(ctx context.Context, doc specs.KindDoc) ([]*data.Record, error) {
	g, ds := specs.Parse("graph.cue", d.text(d.nodes), specs.Options{})
	if ds.Failed() {
		return nil, firstOf(ds)
	}
	kind, _ := transforms.Lookup(doc.Name)
	impl, err := kind.New(g.Nodes[0].Config)
	if err != nil {
		return nil, err
	}
	source, ok := impl.(transforms.Source)
	if !ok {
		return nil, fmt.Errorf("%s takes events", doc.Name)
	}
	if _, err := source.Columns(nil); err != nil {
		return nil, err
	}
	splits, err := source.Splits(ctx)
	if err != nil {
		return nil, err
	}
	var records []*data.Record
	for _, s := range splits {
		err := source.Read(ctx, s, func(r *data.Record) error {
			if len(records) == headRows {
				return errEnough
			}
			records = append(records, r)
			return nil
		}, func(*transforms.Rejected) {})
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

func factsOf(schema *data.Schema, records []*data.Record) map[string]facts {
	all := map[string]facts{}
	for i, f := range schema.Fields() {
		var x facts
		seen := map[string]bool{}
		for _, r := range records {
			v := r.Values[i]
			if v.IsNull() {
				x.nulls++
				continue
			}
			if f.Type.Kind == data.String && f.Type.Logical == "" {
				x.length += len(v.Text())
			}
			if f.Type.Kind == data.String || f.Type.Kind == data.Int64 {
				seen[string(data.AppendText(nil, v, f.Type))] = true
			}
		}
		x.unique = len(records) > 0 && len(seen) == len(records)
		x.length /= max(1, len(records))
		all[f.Name] = x
	}
	return all
}

// keys are columns that tell rows apart and are called like it.
func (d *draft) keys() []string {
	var names []string
	for _, f := range d.schema.Fields() {
		name := strings.ToLower(f.Name)
		called := name == "id" || name == "key" || name == "uuid" || strings.HasSuffix(name, "_id")
		if called && d.facts[f.Name].unique {
			names = append(names, f.Name)
		}
	}
	return names
}

// declaration are the columns whose types a graph can write, as CUE.
func (d *draft) declaration() string {
	var b strings.Builder
	b.WriteString("{")
	for _, f := range d.schema.Fields() {
		if typ, err := data.ParseType(f.Type.String()); err == nil && typ.Equal(f.Type) && columnType(f.Type) {
			if b.Len() > 1 {
				b.WriteString(", ")
			}
			b.WriteString(specs.Label(f.Name) + ": " + specs.Quote(f.Type.String()))
		}
	}
	b.WriteString("}")
	return b.String()
}

// columnType reports whether #ColumnType has the type.
func columnType(t data.Type) bool {
	if t.Logical != "" {
		return false
	}
	if t.Kind == data.List {
		return columnType(*t.Elem)
	}
	return t.Kind >= data.Bool && t.Kind <= data.Timestamp
}
