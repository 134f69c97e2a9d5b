package files

import (
	"context"
	"path/filepath"

	"penstock.dev/data"
	"penstock.dev/data/folder"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "ReadImages", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := new(ReadImages)
			return n, transforms.Decode(config, n)
		},
	})
}

var _ transforms.Source = (*ReadImages)(nil)

// ReadImages reads image files, one row a file: path, as record ids show it;
// label, the name of the folder that the file lies in; image, the file's bytes;
// format; width and height in pixels. Pixels are not decoded.
type ReadImages struct {
	Path string `json:"path"` // a file, folder or glob
}

var imageSchema = data.MustSchema(
	data.Field{Name: "path", Type: data.StringType},
	data.Field{Name: "label", Type: data.StringType},
	data.Field{Name: "image", Type: data.BytesType},
	data.Field{Name: "format", Type: data.StringType},
	data.Field{Name: "width", Type: data.Int64Type},
	data.Field{Name: "height", Type: data.Int64Type},
)

// Columns makes sure that there are files.
func (n *ReadImages) Columns(transforms.Ports) (transforms.Ports, error) {
	_, err := expand(n.Path, folder.ImageExtensions...)
	return transforms.OutPort(imageSchema), err
}

// Splits are the files.
func (n *ReadImages) Splits(context.Context) ([]transforms.Split, error) {
	return wholeFiles(n.Path, folder.ImageExtensions...)
}

// Read reads a file.
func (n *ReadImages) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	rows := &rowsOf{ctx, s, imageSchema, keys{column: -1}, emit, reject}
	img, err := folder.ReadImage(s.Path)
	if err != nil {
		return rows.refuseFile(err)
	}
	return rows.emitRow(0, []data.Value{
		data.StringValue(s.Name),
		data.StringValue(label(s.Path)),
		data.BytesValue(img.Bytes),
		data.StringValue(img.Format),
		data.Int64Value(int64(img.Width)),
		data.Int64Value(int64(img.Height)),
	})
}

// label is the name of the folder a file lies in, wherever the path starts.
func label(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return filepath.Base(filepath.Dir(path))
}
