package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/data/stream"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "ReadJSONL", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := new(ReadJSONL)
			return n, transforms.Decode(config, n)
		},
	})
	transforms.Register(transforms.Kind{
		Name: "WriteJSONL", Inputs: []string{transforms.In},
		New: func(config []byte) (transforms.Node, error) {
			n := new(WriteJSONL)
			if err := transforms.Decode(config, n); err != nil {
				return nil, err
			}
			return newTextSink(n.Path, jsonlExtensions, func(s *data.Schema) rowFormat { return jsonlFormat{s} })
		},
	})
}

var (
	jsonlExtensions = stream.Extensions(".jsonl", ".ndjson", ".json")

	_ transforms.Source = (*ReadJSONL)(nil)
)

// ReadJSONL reads one row a line from JSON Lines files. The columns are those of
// the first 1,000 lines, of the types that data/jsonl infers or the graph
// declares, with the declared ones that do not occur there behind them.
type ReadJSONL struct {
	Path    string  `json:"path"`    // a file, folder or glob
	Declare columns `json:"columns"` // columns whose types are not to be inferred
	Key     string  `json:"key"`     // the column that identifies a row, if any

	inferred inferred
}

// Columns reads the first lines of the first file that has any.
func (n *ReadJSONL) Columns(transforms.Ports) (transforms.Ports, error) {
	inputs, err := expand(n.Path, jsonlExtensions...)
	if err != nil {
		return nil, err
	}
	var sample [][]byte
	at := 0
	for ; at < len(inputs) && len(sample) == 0; at++ {
		if sample, err = headLines(inputs[at].Path); err != nil {
			return nil, pathError(err.Error(), "")
		}
	}
	schema, err := n.schema(inputs[at-1].Path, sample)
	if err != nil {
		return nil, err
	}
	return n.inferred.set(schema, n.Key)
}

// schema infers the columns and makes sure that some line of the sample has them.
func (n *ReadJSONL) schema(file string, sample [][]byte) (*data.Schema, error) {
	fields, _ := jsonl.Infer(sample)
	schema, err := n.Declare.declare(fields)
	if err != nil {
		return nil, err
	}
	if len(sample) == 0 {
		if schema.Len() == 0 {
			return nil, pathError(fmt.Sprintf("%s has no lines", file), "declare its columns")
		}
		return schema, nil
	}
	if isArray(sample[0]) {
		return nil, pathError(fmt.Sprintf("%s is a JSON array, not JSON Lines", file), "write one object a line, as jq -c '.[]' does")
	}
	decoder := jsonl.NewDecoder(schema)
	var first error
	for _, line := range sample {
		_, err := decoder.Decode(line)
		if err == nil {
			return schema, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, pathError(fmt.Sprintf("%s: none of the first %d lines is a row; the first: %v", file, len(sample), first), "")
}

// isArray reports whether a file's first line opens an array that goes on.
func isArray(line []byte) bool {
	_, whole := jsonl.ParseValue(line, jsonl.JSONType)
	return !whole && bytes.HasPrefix(bytes.TrimSpace(line), []byte("["))
}

// headLines reads the first lines of a file, empty and overlong ones left out.
func headLines(path string) ([][]byte, error) {
	f, err := stream.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := stream.NewLines(f, 0)
	var head [][]byte
	for size := 0; len(head) < sampleRows && size < stream.MaxLine; {
		line, err := lines.Next()
		switch {
		case err == io.EOF:
			return head, nil
		case errors.Is(err, stream.ErrTooLong) || err == nil && isBlank(line):
			continue
		case err != nil:
			return nil, err
		}
		size += len(line)
		head = append(head, bytes.Clone(line))
	}
	return head, nil
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// Splits are the files.
func (n *ReadJSONL) Splits(context.Context) ([]transforms.Split, error) {
	return wholeFiles(n.Path, jsonlExtensions...)
}

// Read reads a file. Empty lines are no rows; every other line that is no object
// with these columns is rejected. Rows are numbered by lines, from 0.
func (n *ReadJSONL) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	rows := &rowsOf{ctx: ctx, split: s, emit: emit, reject: reject}
	f, err := n.inferred.open(rows, n.Columns, n.Key)
	if err != nil {
		return err
	}
	defer f.Close()
	decoder, lines := jsonl.NewDecoder(rows.schema), stream.NewLines(f, 0)
	for {
		line, err := lines.Next()
		number := lines.Number()
		if err := rows.ended(number); err != nil {
			return err
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, stream.ErrTooLong):
			rows.refuse(number-1, transforms.Reject("too-long", "%s:%d: the line exceeds %d bytes", s.Name, number, stream.MaxLine))
			continue
		case err != nil:
			return err
		case isBlank(line):
			continue
		}
		values, err := decoder.Decode(line)
		if err != nil {
			refusal, _ := asReject(err, s.Name, number)
			rows.refuse(number-1, refusal)
			continue
		}
		if err := rows.emitRow(number-1, values); err != nil {
			return err
		}
	}
}

// WriteJSONL writes one row a line to a JSON Lines file, compressed if its name
// ends in .gz or .zst, or a folder of them. See jsonl.AppendRow for the types.
type WriteJSONL struct {
	Path string `json:"path"` // a file, or a folder with a closing slash
}

type jsonlFormat struct{ schema *data.Schema }

func (f jsonlFormat) header() []byte { return nil }

func (f jsonlFormat) appendRow(b []byte, values []data.Value) []byte {
	return jsonl.AppendRow(b, f.schema, values)
}
