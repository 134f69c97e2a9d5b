package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"penstock.dev/data"
	"penstock.dev/data/idx"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "ReadIDX", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := new(ReadIDX)
			return n, transforms.Decode(config, n)
		},
	})
}

var _ transforms.Source = (*ReadIDX)(nil)

// ReadIDX reads a pair of IDX files as MNIST has them, one row an item: image, a tensor
// of unsigned bytes, and label, a number from 0 to 255.
type ReadIDX struct {
	Images string `json:"images"` // path of the items, plain or gzip
	Labels string `json:"labels"` // path of as many labels
}

// pair is the two files, open.
type pair struct {
	images, labels *idx.Reader
	files          [2]*os.File
}

func (p *pair) close() {
	for _, f := range p.files {
		if f != nil {
			f.Close()
		}
	}
}

// open opens both files and reads their headers. What is wrong is an error at the field.
func (n *ReadIDX) open() (_ *pair, err error) {
	p := &pair{}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for i, c := range []struct {
		field, path string
		into        **idx.Reader
	}{{"images", n.Images, &p.images}, {"labels", n.Labels, &p.labels}} {
		if p.files[i], err = os.Open(c.path); err != nil {
			return nil, &transforms.FieldError{Field: c.field, Code: transforms.NoResource, Message: fmt.Sprintf("cannot open %s: %v", c.path, cause(err)), Hint: nearby(c.path)}
		}
		if *c.into, err = idx.NewReader(p.files[i]); err != nil {
			return nil, &transforms.FieldError{Field: c.field, Code: transforms.NoResource, Message: fmt.Sprintf("%s: %v", c.path, err)}
		}
	}
	switch {
	case len(p.labels.Shape) != 0:
		err = &transforms.FieldError{Field: "labels", Code: transforms.NoResource, Message: fmt.Sprintf("%s has items of extents %v, want labels of a byte each", n.Labels, p.labels.Shape)}
	case p.labels.Items != p.images.Items:
		err = &transforms.FieldError{Field: "labels", Code: transforms.NoResource, Message: fmt.Sprintf("%s has %d labels for the %d items of %s", n.Labels, p.labels.Items, p.images.Items, n.Images)}
	}
	return p, err
}

// Columns reads the headers.
func (n *ReadIDX) Columns(transforms.Ports) (transforms.Ports, error) {
	p, err := n.open()
	if err != nil {
		return nil, err
	}
	p.close()
	return transforms.OutPort(idxSchema(p.images.Shape)), nil
}

func idxSchema(shape []int) *data.Schema {
	return data.MustSchema(
		data.Field{Name: "image", Type: data.Type{Kind: data.Tensor, Elem: &data.Type{Kind: data.Int64, Logical: "uint8"}, Shape: shape}},
		data.Field{Name: "label", Type: data.Int64Type},
	)
}

// Splits is one, for a compressed file is read from its start.
func (n *ReadIDX) Splits(context.Context) ([]transforms.Split, error) {
	p, err := n.open()
	if err != nil {
		return nil, err
	}
	p.close()
	return []transforms.Split{{Path: n.Images, Name: filepath.Base(n.Images), End: p.images.Items, Rows: p.images.Items}}, nil
}

// Read reads both files side by side. A damaged file ends the run: what follows the
// damage may belong to other labels.
func (n *ReadIDX) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, _ func(*transforms.Rejected)) error {
	p, err := n.open()
	if err != nil {
		return err
	}
	defer p.close()
	schema := idxSchema(p.images.Shape)
	for row := int64(0); ; row++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		image, err := p.images.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", n.Images, err)
		}
		label, labelErr := p.labels.Next()
		if labelErr != nil && !errors.Is(labelErr, io.EOF) {
			return fmt.Errorf("%s: %w", n.Labels, labelErr)
		}
		if err != nil {
			return nil
		}
		r := &data.Record{Schema: schema, ID: data.ID{Source: s.Name, Row: row}, Order: s.Order + row, Values: []data.Value{
			data.TensorValue(&data.Array{Shape: p.images.Shape, Data: image}),
			data.Int64Value(int64(label[0])),
		}}
		if err := emit(r); err != nil {
			return err
		}
	}
}
