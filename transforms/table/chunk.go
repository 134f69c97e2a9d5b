package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Chunk",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newChunk,
	})
}

// ChunkConfig cuts a text into passages, one row each. A passage takes the
// text's place in its column; added are chunk, its number from 0, and
// chunk_start and chunk_end, its byte offsets in the text. White space belongs
// to the unit before it, so that passages without overlap join up to the text.
type ChunkConfig struct {
	Column string `json:"column"` // of strings
	// Unit is what the sizes count: "words" (runs without white space),
	// "sentences" (see nextSentence) or "characters" (Unicode code points).
	Unit string `json:"unit"`
	Size int    `json:"size"` // of a passage, at least 1
	// Overlap is what a passage repeats of the one before it, less than Size.
	Overlap int `json:"overlap"`
	// MinSize is the size below which a last passage is left out, at most Size;
	// a text that is shorter altogether is rejected.
	MinSize int `json:"minSize"`
}

type chunk struct {
	config ChunkConfig
	plan   plan[chunked]
}

type chunked struct {
	text int
	out  *data.Schema
}

var _ transforms.Row = (*chunk)(nil)

func newChunk(config []byte) (transforms.Node, error) {
	n := &chunk{config: ChunkConfig{Column: "text", Unit: "words", Size: 200, MinSize: 1}}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	c := n.config
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, &transforms.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if units[c.Unit] == nil {
		wrong("unit", "%q is not words, sentences or characters", c.Unit)
	}
	if c.Size < 1 {
		wrong("size", "%d is not at least 1", c.Size)
	}
	if c.Overlap < 0 || c.Overlap >= max(c.Size, 1) {
		wrong("overlap", "%d is not between 0 and size-1", c.Overlap)
	}
	if c.MinSize < 0 || c.MinSize > max(c.Size, 1) {
		wrong("minSize", "%d is not between 0 and size", c.MinSize)
	}
	return n, errors.Join(errs...)
}

func (n *chunk) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	if err := transforms.NeedColumn(s, "column", n.config.Column, data.String); err != nil {
		return nil, err
	}
	out, err := transforms.AddColumns(s, "",
		data.Field{Name: "chunk", Type: data.Int64Type},
		data.Field{Name: "chunk_start", Type: data.Int64Type},
		data.Field{Name: "chunk_end", Type: data.Int64Type})
	if err != nil {
		return nil, err
	}
	n.plan.set(&chunked{s.Index(n.config.Column), out})
	return transforms.OutPort(out), nil
}

func (n *chunk) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	p, err := n.plan.get()
	if err != nil {
		return err
	}
	v := r.Values[p.text]
	if v.IsNull() {
		return transforms.Reject("null", "column %q is null", n.config.Column)
	}
	text := v.Text()
	switch {
	case !utf8.ValidString(text):
		return transforms.Reject("utf8", "column %q is not UTF-8", n.config.Column)
	case strings.TrimSpace(text) == "":
		return transforms.Reject("empty", "column %q has no text", n.config.Column)
	}
	made := 0
	err = n.config.passages(text, func(start, end int) error {
		child := r.Child(made, p.out, append(r.Values[:len(r.Values):len(r.Values)],
			data.Int64Value(int64(made)), data.Int64Value(int64(start)), data.Int64Value(int64(end))))
		child.Values[p.text] = data.StringValue(text[start:end])
		emit(transforms.Out, child)
		made++
		return ctx.Err()
	})
	if err == nil && made == 0 {
		err = transforms.Reject("too-short", "column %q has fewer than %d %s", n.config.Column, n.config.MinSize, n.config.Unit)
	}
	return err
}

// passages calls yield with the byte offsets of every passage. It keeps the
// offsets of one passage's units at a time.
func (c ChunkConfig) passages(text string, yield func(start, end int) error) error {
	next := units[c.Unit]
	starts := make([]int, 0, min(c.Size, 1024)) // of the units of the passage in hand
	fresh := 0                                  // units in it that no passage had yet
	for at := 0; at < len(text); {
		starts = append(starts, at)
		fresh++
		at += next(text[at:])
		if len(starts) < c.Size {
			continue
		}
		if err := yield(starts[0], at); err != nil {
			return err
		}
		kept := copy(starts, starts[c.Size-c.Overlap:])
		starts, fresh = starts[:kept], 0
	}
	if fresh > 0 && len(starts) >= c.MinSize {
		return yield(starts[0], len(text))
	}
	return nil
}
