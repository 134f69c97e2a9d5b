package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/data/csv"
	"penstock.dev/data/stream"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "ReadCSV", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := &ReadCSV{Delimiter: ",", Header: true}
			if err := transforms.Decode(config, n); err != nil {
				return nil, err
			}
			return n, checkDelimiter(n.Delimiter)
		},
	})
	transforms.Register(transforms.Kind{
		Name: "WriteCSV", Inputs: []string{transforms.In},
		New: func(config []byte) (transforms.Node, error) {
			n := &WriteCSV{Delimiter: ",", Header: true, Quotes: true}
			if err := transforms.Decode(config, n); err != nil {
				return nil, err
			}
			if err := checkDelimiter(n.Delimiter); err != nil {
				return nil, err
			}
			return newTextSink(n.Path, csvExtensions, func(s *data.Schema) rowFormat {
				return n.format(s)
			})
		},
	})
}

var (
	csvExtensions = stream.Extensions(".csv", ".tsv", ".txt")

	_ transforms.Source = (*ReadCSV)(nil)
)

func checkDelimiter(d string) error {
	r := delimiterRune(d)
	if utf8.RuneCountInString(d) != 1 || r == '"' || r == '\r' || r == '\n' || r == utf8.RuneError {
		return &transforms.FieldError{Field: "delimiter", Message: fmt.Sprintf("%q is not one character other than a quote or line end", d)}
	}
	return nil
}

func delimiterRune(d string) rune {
	r, _ := utf8.DecodeRuneInString(d)
	return r
}

// ReadCSV reads rows from CSV files. Types are inferred from the first 1,000
// rows of the first file unless declared (see data/csv). Without a header the
// columns are those declared, in that order, or column1, column2 and so on; a
// column without a name in the header is called the same way.
type ReadCSV struct {
	Path      string  `json:"path"`      // a file, folder or glob
	Declare   columns `json:"columns"`   // columns whose types are not to be inferred
	Key       string  `json:"key"`       // the column that identifies a row, if any
	Delimiter string  `json:"delimiter"` // one character
	Header    bool    `json:"header"`    // whether the first row names the columns

	inferred inferred
}

// Columns reads the first rows of the first file and the headers of the others.
func (n *ReadCSV) Columns(transforms.Ports) (transforms.Ports, error) {
	inputs, err := expand(n.Path, csvExtensions...)
	if err != nil {
		return nil, err
	}
	names, sample, err := n.head(inputs[0].Path, sampleRows)
	if err != nil {
		return nil, pathError(err.Error(), "")
	}
	for _, other := range inputs[1:] {
		if err := n.sameHeader(inputs[0].Path, names, other.Path); err != nil {
			return nil, err
		}
	}
	fields := make([]data.Field, len(names))
	for i, t := range csv.Infer(len(names), sample) {
		fields[i] = data.Field{Name: names[i], Type: t, Nullable: true}
	}
	schema, err := data.NewSchema(fields...)
	if err != nil {
		return nil, pathError(fmt.Sprintf("%s: %v", inputs[0].Path, err), "mend the header, or read it with header: false")
	}
	if err := n.Declare.occur(inputs[0].Path, schema); err != nil {
		return nil, err
	}
	if schema, err = n.Declare.declare(fields); err != nil {
		return nil, err
	}
	return n.inferred.set(schema, n.Key)
}

// occur checks that a file has the declared columns, of whatever type.
func (c columns) occur(file string, schema *data.Schema) error {
	var errs []error
	for _, f := range c {
		if schema.Index(f.Name) < 0 {
			errs = append(errs, &transforms.FieldError{Field: "columns." + f.Name, Code: transforms.MissingColumn,
				Message: fmt.Sprintf("%s has no column %q", file, f.Name), Hint: suggest(schema, f.Name)})
		}
	}
	return errors.Join(errs...)
}

// head reads the names of a file's columns and its first rows.
func (n *ReadCSV) head(path string, most int) (names []string, rows [][]csv.Field, err error) {
	f, err := stream.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r := csv.NewReader(f, delimiterRune(n.Delimiter), 0)
	var wrong *csv.Error
	for len(rows) < most || n.Header && names == nil {
		row, err := r.Next()
		switch {
		case err == io.EOF && names == nil && len(rows) == 0 && (n.Header || len(n.Declare) == 0):
			return nil, nil, fmt.Errorf("%s is empty", path)
		case err == io.EOF:
			return n.names(names, rows), rows, nil
		case errors.As(err, &wrong) && n.Header && names == nil:
			return nil, nil, fmt.Errorf("%s:%d: the header cannot be read: %w", path, r.Line(), err)
		case errors.As(err, &wrong):
			continue
		case err != nil:
			return nil, nil, err
		case n.Header && names == nil:
			names = headerNames(row)
		default:
			rows = append(rows, row)
		}
	}
	return n.names(names, rows), rows, nil
}

// names are those of the header, of the declaration, or numbers.
func (n *ReadCSV) names(header []string, rows [][]csv.Field) []string {
	switch {
	case n.Header:
		return header
	case len(n.Declare) > 0:
		names := make([]string, len(n.Declare))
		for i, f := range n.Declare {
			names[i] = f.Name
		}
		return names
	case len(rows) > 0:
		return headerNames(make([]csv.Field, len(rows[0])))
	}
	return []string{}
}

func headerNames(row []csv.Field) []string {
	names := make([]string, len(row))
	for i, f := range row {
		if names[i] = f.Text; f.Text == "" {
			names[i] = "column" + strconv.Itoa(i+1)
		}
	}
	return names
}

func (n *ReadCSV) sameHeader(first string, names []string, other string) error {
	if !n.Header {
		return nil
	}
	others, _, err := n.head(other, 0)
	if err != nil {
		return pathError(err.Error(), "")
	}
	if !slices.Equal(names, others) {
		return pathError(fmt.Sprintf("%s and %s have different headers", first, other), "read them with two nodes and bring them into line before a Union")
	}
	return nil
}

// Splits are the files.
func (n *ReadCSV) Splits(context.Context) ([]transforms.Split, error) {
	return wholeFiles(n.Path, csvExtensions...)
}

// Read reads a file. A row that is broken, ragged or of other types is rejected.
// Rows are numbered from 0 behind the header, the rejected among them.
func (n *ReadCSV) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	rows := &rowsOf{ctx: ctx, split: s, emit: emit, reject: reject}
	f, err := n.inferred.open(rows, n.Columns, n.Key)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f, delimiterRune(n.Delimiter), 0)
	if n.Header {
		if _, err := r.Next(); err != nil {
			return fmt.Errorf("%s: the header cannot be read: %w", s.Path, err)
		}
	}
	for row := int64(0); ; row++ {
		if err := rows.ended(row); err != nil {
			return err
		}
		fields, err := r.Next()
		if err == io.EOF {
			return nil
		}
		var values []data.Value
		if err == nil {
			values, err = csv.Convert(fields, rows.schema)
		}
		if err != nil {
			refusal, ok := asReject(err, s.Name, r.Line())
			if !ok {
				return err
			}
			rows.refuse(row, refusal)
			continue
		}
		if err := rows.emitRow(row, values); err != nil {
			return err
		}
	}
}

// WriteCSV writes rows to a CSV file, compressed if its name ends
// in .gz or .zst, or a folder of them. See csv.Writer for the types.
type WriteCSV struct {
	Path      string `json:"path"`      // a file, or a folder with a closing slash
	Delimiter string `json:"delimiter"` // one character
	Header    bool   `json:"header"`    // whether the first line names the columns
	Quotes    bool   `json:"quotes"`    // false for readers that know no quotes
}

func (n *WriteCSV) format(s *data.Schema) rowFormat {
	newWriter := csv.NewWriter
	if !n.Quotes {
		newWriter = csv.NewPlainWriter
	}
	return csvFormat{newWriter(s, delimiterRune(n.Delimiter)), n.Header}
}

type csvFormat struct {
	writer *csv.Writer
	named  bool
}

func (f csvFormat) header() []byte {
	if !f.named {
		return nil
	}
	return f.writer.AppendHeader(nil)
}

func (f csvFormat) appendRow(b []byte, values []data.Value) []byte {
	return f.writer.AppendRow(b, values)
}
