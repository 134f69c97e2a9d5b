package transforms

import (
	"errors"
	"fmt"

	"penstock.dev/data"
)

// Codes of field errors that kinds share; the checker turns them into the codes
// that users see.
const (
	MissingColumn = "missing-column" // a column that the input does not have
	ColumnType    = "column-type"    // a column of another type than the kind needs
	ColumnTwice   = "column-twice"   // a column that the input has already
	BadExpression = "expression"     // an expression that does not compile
	NoResource    = "resource"       // a file or model that cannot be opened
	Miscalibrated = "calibration"    // a calibration that does not hold for what it is used on
)

// FieldError is a mistake in a node's configuration, found before the run. The
// checker reports it at the field in the user's file.
type FieldError struct {
	Field   string // dotted path within the node: "where", "columns.score"; empty for the node
	Code    string // one of the above, empty for anything else
	Message string
	Hint    string // what would mend it, if that is known
}

func (e *FieldError) Error() string {
	msg := e.Message
	if e.Field != "" {
		msg = e.Field + ": " + msg
	}
	if e.Hint != "" {
		msg += " (" + e.Hint + ")"
	}
	return msg
}

// RejectError says why a row is refused. Class is a short, stable word that
// reports count by: "null", "utf8", "too-short", "parse".
type RejectError struct {
	Class   string
	Message string
	// Record is the row with the columns that the node's rejects port has beyond
	// those of its input; nil if there are none.
	Record *data.Record
}

func (e *RejectError) Error() string { return e.Class + ": " + e.Message }

// Reject makes the error that refuses a row.
func Reject(class, format string, args ...any) error {
	return &RejectError{Class: class, Message: fmt.Sprintf(format, args...)}
}

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// Fatal marks an error that no other row would escape, such as a model that
// cannot be opened: it ends the run instead of rejecting the row.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

// IsFatal reports whether err ends the run.
func IsFatal(err error) bool {
	var f *fatalError
	return errors.As(err, &f)
}

// Rejected is a refused row on its way to the rejects port.
type Rejected struct {
	Record *data.Record // the row as it reached the node; for a source, as far as it could be read
	Class  string
	Err    string
	// Part says that the row is accounted for without this: a Global refuses a part
	// of what it made of the row (see PartsRejected).
	Part bool
}

// AsRejected turns the error a node returned for a row into what the rejects
// port carries.
func AsRejected(r *data.Record, err error) *Rejected {
	var reject *RejectError
	if errors.As(err, &reject) {
		if reject.Record != nil {
			r = reject.Record
		}
		return &Rejected{Record: r, Class: reject.Class, Err: reject.Message}
	}
	return &Rejected{Record: r, Class: "error", Err: err.Error()}
}

// PartsRejected is the error of a Row that makes several rows of one and refuses some
// of them. What it emitted is sent on all the same; the row itself counts as rejected
// if that is nothing.
type PartsRejected []*Rejected

func (p PartsRejected) Error() string {
	return fmt.Sprintf("%d parts rejected, the first for %s: %s", len(p), p[0].Class, p[0].Err)
}

// RejectFields are the columns that the rejects port adds to those of the
// node's input: which row, where it was refused, the class and the message.
var RejectFields = []data.Field{
	{Name: "reject_row", Type: data.StringType},
	{Name: "reject_node", Type: data.StringType},
	{Name: "reject_class", Type: data.StringType},
	{Name: "reject_message", Type: data.StringType},
}

// RejectSchema is the schema of a rejects port behind a node whose input has
// schema in. Columns of in that bear a reject column's name give way to it.
func RejectSchema(in *data.Schema) *data.Schema {
	fields := make([]data.Field, 0, in.Len()+len(RejectFields))
	for _, f := range in.Fields() {
		if !isRejectField(f.Name) {
			f.Nullable = true
			fields = append(fields, f)
		}
	}
	return data.MustSchema(append(fields, RejectFields...)...)
}

// RejectRecord makes the record that the rejects port carries; schema is
// RejectSchema of the node's input.
func RejectRecord(schema *data.Schema, node string, r *Rejected) *data.Record {
	values := make([]data.Value, 0, schema.Len())
	for _, f := range schema.Fields()[:schema.Len()-len(RejectFields)] {
		values = append(values, r.Record.Get(f.Name))
	}
	values = append(values,
		data.StringValue(r.Record.ID.String()),
		data.StringValue(node),
		data.StringValue(r.Class),
		data.StringValue(r.Err))
	return r.Record.With(schema, values)
}

func isRejectField(name string) bool {
	for _, f := range RejectFields {
		if f.Name == name {
			return true
		}
	}
	return false
}
