package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// idxFiles writes two images of 1 by 3 and some labels.
func idxFiles(t *testing.T, images, labels []byte) *ReadIDX {
	t.Helper()
	n := &ReadIDX{filepath.Join(t.TempDir(), "images"), filepath.Join(t.TempDir(), "labels")}
	if err := os.WriteFile(n.Images, append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3}, images...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.Labels, append([]byte{0, 0, 8, 1, 0, 0, 0, byte(len(labels))}, labels...), 0o644); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReadIDX(t *testing.T) {
	n := idxFiles(t, []byte{1, 2, 3, 4, 5, 255}, []byte{7, 0})
	if _, err := n.Columns(nil); err != nil {
		t.Fatal(err)
	}
	splits, err := n.Splits(t.Context())
	if err != nil || len(splits) != 1 || splits[0].Rows != 2 {
		t.Fatalf("splits %v, error %v", splits, err)
	}
	var rows []*data.Record
	err = n.Read(t.Context(), splits[0], func(r *data.Record) error {
		rows = append(rows, r)
		return nil
	}, func(r *transforms.Rejected) { t.Error(r.Err) })
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	a := rows[1].Get("image").Tensor()
	if !slices.Equal(a.Shape, []int{1, 3}) || !slices.Equal(a.Data.([]uint8), []byte{4, 5, 255}) || rows[0].Get("label").Int64() != 7 || rows[1].ID.String() != "images#1" {
		t.Errorf("row %s: %v, label %d", rows[1].ID, a, rows[0].Get("label").Int64())
	}
}

func TestIDXFilesThatDoNotFit(t *testing.T) {
	short := idxFiles(t, []byte{1, 2, 3, 4}, []byte{7, 0})
	splits, err := short.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = short.Read(t.Context(), splits[0], func(*data.Record) error { return nil }, nil)
	if err == nil || !strings.Contains(err.Error(), "images: the file ends after 1 of 2 items") {
		t.Errorf("a torn file: %v", err)
	}
	swapped := *short
	swapped.Images, swapped.Labels = short.Labels, short.Images
	for want, n := range map[string]*ReadIDX{
		"labels: ":                         {short.Images, short.Images},
		"has 3 labels for the 2 items of ": idxFiles(t, []byte{1, 2, 3, 4, 5, 6}, []byte{7, 0, 1}),
		"images: cannot open nowhere: no such file or directory": {"nowhere", short.Labels},
		"want labels of a byte each":                             &swapped,
		"no IDX file":                                            {"idx_test.go", short.Labels},
	} {
		if _, err := n.Columns(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
