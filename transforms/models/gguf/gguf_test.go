package gguf

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var blocks = filepath.Join("..", "testdata", "tiny", "blocks.gguf")

func openBytes(data []byte) (*File, error) { return New(bytes.NewReader(data), int64(len(data))) }

// blocks.json holds what gguf-py makes of the same random blocks.
func TestDequantisationEqualsReference(t *testing.T) {
	f, err := Open(blocks)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := os.ReadFile(strings.TrimSuffix(blocks, ".gguf") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]float32
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(formats) || len(f.Names()) != len(formats) {
		t.Errorf("%d expected tensors, %d in the file, %d types known", len(want), len(f.Names()), len(formats))
	}
	for name, values := range want {
		tensor, ok := f.Tensor(name)
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		got, err := tensor.Float32s()
		if err != nil || len(got) != len(values) {
			t.Errorf("%s: %d values (%v), want %d", name, len(got), err, len(values))
			continue
		}
		for i := range got {
			if diff := math.Abs(float64(got[i] - values[i])); diff > 1e-6*max(1, math.Abs(float64(values[i]))) {
				t.Errorf("%s: value %d is %v, want %v", name, i, got[i], values[i])
				break
			}
		}
	}
	if tensor, _ := f.Tensor("q4_k"); !slices.Equal(tensor.Shape(), []int{2, 512}) {
		t.Errorf("shape %v, want rows first", tensor.Shape())
	}
}

func TestMetadataKeepsItsTypes(t *testing.T) {
	f, err := Open(blocks)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for key, want := range map[string]any{
		"general.architecture": "none",
		"text":                 "naïve",
		"words":                []string{"a", "", "é"},
		"numbers":              []int32{1, -2, 3},
		"scores":               []float32{0.5, -1.25},
		"nested":               []any{[]int32{1, 2}, []int32{3}},
		"flag":                 true,
	} {
		if got := f.Metadata()[key]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v", key, got, want)
		}
	}
}

// writer builds small files by hand.
type writer struct{ bytes.Buffer }

func header(tensors, keys uint64) *writer {
	w := &writer{}
	return w.put(uint32(magic), uint32(3), tensors, keys)
}

func (w *writer) put(values ...any) *writer {
	for _, v := range values {
		if s, ok := v.(string); ok {
			binary.Write(w, binary.LittleEndian, uint64(len(s)))
			w.WriteString(s)
			continue
		}
		binary.Write(w, binary.LittleEndian, v)
	}
	return w
}

// padded aligns the directory and adds n bytes of data.
func (w *writer) padded(n int) *writer {
	for w.Len()%defaultAlignment != 0 {
		w.WriteByte(0)
	}
	w.Write(make([]byte, n))
	return w
}

func tensorEntry(name string, kind uint32, offset uint64, dims ...uint64) []any {
	out := []any{name, uint32(len(dims))}
	for _, d := range dims {
		out = append(out, d)
	}
	return append(out, kind, offset)
}

func TestHostileFilesAreRefused(t *testing.T) {
	const huge = uint64(1) << 62
	for name, c := range map[string]struct {
		file *writer
		want string
	}{
		"empty":             {&writer{}, "unexpected EOF"},
		"wrong magic":       {(&writer{}).put("not a model file"), "not a GGUF file"},
		"big-endian":        {(&writer{}).put(uint32(magic), uint32(3)<<24), "version 50331648"},
		"old version":       {(&writer{}).put(uint32(magic), uint32(1), huge, huge), "version 1"},
		"huge key count":    {header(0, huge), "do not fit"},
		"huge tensor count": {header(huge, 0), "do not fit"},
		"huge string":       {header(0, 1).put(huge, "xxxxxxxxxxxxxxxx"), "do not fit"},
		"huge array":        {header(0, 1).put("a", uint32(typeArray), uint32(typeUint8), huge), "do not fit"},
		"unknown type":      {header(0, 1).put("a", uint32(99), huge), "unknown value type 99"},
		"key twice":         {header(0, 2).put("a", uint32(typeUint8), uint8(1), "a", uint32(typeUint8), uint8(1)), "twice"},
		"bad boolean":       {header(0, 1).put("a", uint32(typeBool), uint8(7)), "boolean is 7"},
		"deep nesting": {header(0, 1).put("a", uint32(typeArray),
			uint32(typeArray), uint64(1), uint32(typeArray), uint64(1), uint32(typeArray), uint64(1),
			uint32(typeArray), uint64(1), uint32(typeArray), uint64(1), uint32(typeUint8), uint64(1), uint8(1)), "too deep"},
		"bad alignment": {header(0, 1).put("general.alignment", uint32(typeUint32), uint32(0)), "general.alignment"},
		"many axes":     {header(1, 0).put("a", uint32(1<<31), make([]byte, 64)), "axes"},
		"overflow":      {header(1, 0).put(tensorEntry("a", 0, 0, huge, 16)...).padded(64), "too large"},
		"past the end":  {header(1, 0).put(tensorEntry("a", 0, 0, 17)...).padded(64), "past the end"},
		"offset past":   {header(1, 0).put(tensorEntry("a", 0, huge, 1)...).padded(64), "past the end"},
		"odd offset":    {header(1, 0).put(tensorEntry("a", 0, 4, 1)...).padded(64), "multiple of 32"},
		"part block":    {header(1, 0).put(tensorEntry("a", 8, 0, 33)...).padded(64), "whole blocks of 32"},
		"overlap": {header(2, 0).put(tensorEntry("a", 0, 0, 12)...).put(tensorEntry("b", 0, 32, 1)...).padded(64),
			`"a" and "b" overlap`},
		"tensor twice": {header(2, 0).put(tensorEntry("a", 0, 0, 1)...).put(tensorEntry("a", 0, 32, 1)...).padded(64), "twice"},
	} {
		if _, err := openBytes(c.file.Bytes()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestUnknownTensorTypeFailsWhenRead(t *testing.T) {
	f, err := openBytes(header(1, 0).put(tensorEntry("a", 10, 0, 256)...).padded(96).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := f.Tensor("a")
	if _, err := tensor.Float32s(); err == nil || !strings.Contains(err.Error(), "type 10 is not a weight type") {
		t.Errorf("error %v", err)
	}
}

// Every cut of a good file is refused or loses no tensor silently.
func TestTruncatedFilesAreRefused(t *testing.T) {
	data, err := os.ReadFile(blocks)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(data)-defaultAlignment; n += 7 {
		if _, err := openBytes(data[:n]); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(data))
		}
	}
}

// Whatever the bytes, reading ends without a panic, and values are bounded by the file.
func FuzzNew(f *testing.F) {
	data, err := os.ReadFile(blocks)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(header(1, 0).put(tensorEntry("a", 0, 0, 16)...).padded(64).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := openBytes(data)
		if err != nil {
			return
		}
		total := 0
		for _, name := range parsed.Names() {
			tensor, _ := parsed.Tensor(name)
			values, _ := tensor.Float32s()
			total += len(values)
		}
		if total > 2*len(data) { // the densest type has 1.8 values a byte
			t.Errorf("%d values out of %d bytes", total, len(data))
		}
	})
}

// Whatever counts and lengths a file claims, reading it allocates no more than ten times
// its size and a megabyte. Every eight bytes of a real directory take turns to lie.
func TestLyingSizesAllocateLittle(t *testing.T) {
	honest, err := os.ReadFile(blocks)
	if err != nil {
		t.Fatal(err)
	}
	bound := uint64(10*len(honest) + 1<<20)
	for _, lie := range []uint64{1 << 20, 1 << 31, 1<<32 - 1, 1 << 40, 1<<63 - 1, 1<<64 - 1} {
		for at := 8; at+8 <= min(len(honest), 4096); at++ {
			data := slices.Clone(honest)
			binary.LittleEndian.PutUint64(data[at:], lie)
			if got := allocated(func() { _, _ = openBytes(data) }); got > bound {
				t.Fatalf("%d at byte %d of a file of %d made the reader allocate %d bytes", lie, at, len(data), got)
			}
		}
	}
}

// allocated is how many bytes a call allocates.
func allocated(call func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
