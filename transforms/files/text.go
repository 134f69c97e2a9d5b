package files

import (
	"context"

	"penstock.dev/data"
	"penstock.dev/data/folder"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "ReadText", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := new(ReadText)
			return n, transforms.Decode(config, n)
		},
	})
}

var _ transforms.Source = (*ReadText)(nil)

// ReadText reads text files, one row a file: path, as record ids show it, and
// text.
type ReadText struct {
	Path string `json:"path"` // a file, folder (searched for .txt, .text and .md) or glob
}

var textSchema = data.MustSchema(
	data.Field{Name: "path", Type: data.StringType},
	data.Field{Name: "text", Type: data.StringType},
)

// Columns makes sure that there are files.
func (n *ReadText) Columns(transforms.Ports) (transforms.Ports, error) {
	_, err := expand(n.Path, folder.TextExtensions...)
	return transforms.OutPort(textSchema), err
}

// Splits are the files.
func (n *ReadText) Splits(context.Context) ([]transforms.Split, error) {
	return wholeFiles(n.Path, folder.TextExtensions...)
}

// Read reads a file.
func (n *ReadText) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	rows := &rowsOf{ctx, s, textSchema, keys{column: -1}, emit, reject}
	text, err := folder.ReadText(s.Path)
	if err != nil {
		return rows.refuseFile(err)
	}
	return rows.emitRow(0, []data.Value{data.StringValue(s.Name), data.StringValue(text)})
}

// refuseFile rejects a file that is no row; any other error is returned.
func (r *rowsOf) refuseFile(err error) error {
	refusal, ok := asReject(err, r.split.Name, 0)
	if !ok {
		return err
	}
	r.refuse(0, refusal)
	return nil
}
