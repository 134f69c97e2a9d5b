package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/data/csv"
	"penstock.dev/data/folder"
	"penstock.dev/data/jsonl"
	"penstock.dev/data/stream"
	"penstock.dev/transforms"
)

// sampleRows is how many rows types are inferred from.
const sampleRows = 1000

// inferred is the schema that a source found in its files, kept from Columns.
type inferred struct{ schema atomic.Pointer[data.Schema] }

// set keeps the schema, if it has the key column, and is what Columns returns.
func (i *inferred) set(schema *data.Schema, key string) (transforms.Ports, error) {
	if _, err := newKeys(schema, key); err != nil {
		return nil, err
	}
	i.schema.Store(schema)
	return transforms.OutPort(schema), nil
}

// get is the schema; columns is called where that has not happened yet.
func (i *inferred) get(columns func(transforms.Ports) (transforms.Ports, error)) (*data.Schema, error) {
	if s := i.schema.Load(); s != nil {
		return s, nil
	}
	ports, err := columns(nil)
	if err != nil {
		return nil, err
	}
	return ports.Get(transforms.Out), nil
}

// open opens the file whose rows are to be handed on, with the schema and the key
// column that they have.
func (i *inferred) open(rows *rowsOf, columns func(transforms.Ports) (transforms.Ports, error), key string) (io.ReadCloser, error) {
	var err error
	if rows.schema, err = i.get(columns); err != nil {
		return nil, err
	}
	if rows.keys, err = newKeys(rows.schema, key); err != nil {
		return nil, err
	}
	return stream.Open(rows.split.Path)
}

// declare gives the inferred columns the declared types; a declared column that
// the sample lacks comes behind the others.
func (c columns) declare(fields []data.Field) (*data.Schema, error) {
	at := map[string]int{}
	for i, f := range fields {
		at[f.Name] = i
	}
	for _, f := range c {
		if i, ok := at[f.Name]; ok {
			fields[i].Type = f.Type
		} else {
			fields = append(fields, f)
		}
	}
	return data.NewSchema(fields...)
}

// wholeFiles makes a split of every file at a path.
func wholeFiles(path string, extensions ...string) ([]transforms.Split, error) {
	inputs, err := expand(path, extensions...)
	if err != nil {
		return nil, err
	}
	splits := make([]transforms.Split, len(inputs))
	for i, in := range inputs {
		splits[i] = transforms.Split{Path: in.Path, Name: in.Name, End: in.Size, Order: order(i, 0)}
	}
	return splits, nil
}

// rowsOf hands on the rows of one split and refuses those that cannot be read.
type rowsOf struct {
	ctx    context.Context
	split  transforms.Split
	schema *data.Schema
	keys   keys
	emit   func(*data.Record) error
	reject func(*transforms.Rejected)
}

// emitRow emits the row with that number in the file, counted from 0, or rejects
// it for the lack of a key.
func (r *rowsOf) emitRow(row int64, values []data.Value) error {
	record := &data.Record{Schema: r.schema, Order: r.split.Order + row, Values: values}
	var err error
	if record.ID, err = r.keys.id(r.split.Name, row, values); err != nil {
		r.reject(transforms.AsRejected(record, err))
		return nil
	}
	return r.emit(record)
}

// ended looks, now and then, whether the run is over.
func (r *rowsOf) ended(row int64) error {
	if row%1024 != 0 {
		return nil
	}
	return r.ctx.Err()
}

// refuse rejects a row that could not be read; what is known is its place.
func (r *rowsOf) refuse(row int64, err error) {
	r.reject(transforms.AsRejected(&data.Record{
		Schema: r.schema,
		ID:     data.ID{Source: r.split.Name, Row: row},
		Order:  r.split.Order + row,
		Values: make([]data.Value, r.schema.Len()),
	}, err))
}

// asReject turns the error of a format into one that refuses a row; ok is false
// if it concerns more than the row. line is counted from 1, 0 for whole files.
func asReject(err error, name string, line int64) (reject error, ok bool) {
	place := name
	if line > 0 {
		place = fmt.Sprintf("%s:%d", name, line)
	}
	var (
		fromJSONL  *jsonl.Error
		fromCSV    *csv.Error
		fromFolder *folder.Error
	)
	switch {
	case errors.As(err, &fromJSONL):
		return transforms.Reject(fromJSONL.Class, "%s: %s", place, fromJSONL.Message), true
	case errors.As(err, &fromCSV):
		return transforms.Reject(fromCSV.Class, "%s: %s", place, fromCSV.Message), true
	case errors.As(err, &fromFolder):
		return transforms.Reject(fromFolder.Class, "%s: %s", place, fromFolder.Message), true
	}
	return nil, false
}
