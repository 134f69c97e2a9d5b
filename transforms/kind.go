package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Kind is an entry of the kind table. Its name is the definition's in the CUE
// schema, and its ports are the ones the definition has.
type Kind struct {
	Name    string
	Inputs  []string // names of the input ports; none for a source
	Outputs []string // names of the output ports; none for a sink
	// Optional are those of Inputs that a graph may leave open. Columns then has no
	// schema for them, and Inputs no rows.
	Optional []string
	// New makes a node from the node's configuration: a JSON object that has
	// the fields of the CUE definition, defaults filled in, ports left out.
	New func(config []byte) (Node, error)
}

// Names of ports that several kinds have.
const (
	In      = "in"
	Out     = "out"
	Else    = "else"
	Rejects = "rejects"
)

var table = map[string]Kind{}

// Register adds a kind to the table; it is called from init functions and
// panics when the name is taken.
func Register(k Kind) {
	if _, taken := table[k.Name]; taken {
		panic("transforms: kind " + k.Name + " registered twice")
	}
	table[k.Name] = k
}

// Lookup finds a kind by name.
func Lookup(name string) (Kind, bool) {
	k, ok := table[name]
	return k, ok
}

// Kinds lists the table, sorted by name.
func Kinds() []Kind {
	return slices.SortedFunc(maps.Values(table), func(a, b Kind) int {
		return bytes.Compare([]byte(a.Name), []byte(b.Name))
	})
}

// Decode fills the typed config from a node's JSON configuration and refuses
// fields that the config lacks.
func Decode(config []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return &FieldError{Field: wrong.Field, Message: fmt.Sprintf("want %s, have %s", wrong.Type, wrong.Value)}
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("configuration goes on after its end")
	}
	return nil
}

// Duration is a length of time as a graph writes it: "30s".
type Duration struct{ time.Duration }

// UnmarshalJSON reads the text.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	d.Duration, err = time.ParseDuration(s)
	return err
}
