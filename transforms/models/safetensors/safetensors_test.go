package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// file builds a safetensors file from a header and data.
func file(header string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

func open(data []byte) (*File, error) { return New(bytes.NewReader(data), int64(len(data))) }

func TestFloatTypesAreWidened(t *testing.T) {
	var data []byte
	for _, v := range []float32{1.5, -2, float32(math.Inf(1))} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	// Halves: 1, -2, the smallest subnormal, the largest subnormal, the largest.
	for _, h := range []uint16{0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff} {
		data = binary.LittleEndian.AppendUint16(data, h)
	}
	for _, b := range []uint16{0x3f80, 0xc049} {
		data = binary.LittleEndian.AppendUint16(data, b)
	}
	f, err := open(file(`{"__metadata__":{"format":"pt"},
		"a":{"dtype":"F32","shape":[3,1],"data_offsets":[0,12]},
		"b":{"dtype":"F16","shape":[5],"data_offsets":[12,22]},
		"c":{"dtype":"BF16","shape":[2],"data_offsets":[22,26]},
		"d":{"dtype":"F32","shape":[0],"data_offsets":[26,26]}}`, data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{
		"a": {1.5, -2, float32(math.Inf(1))},
		"b": {1, -2, 0x1p-24, 1023 * 0x1p-24, 65504},
		"c": {1, -3.140625},
		"d": {},
	} {
		tensor, _ := f.Tensor(name)
		got, err := tensor.Float32s()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, want)
		}
	}
	if a, _ := f.Tensor("a"); !slices.Equal(a.Shape(), []int{3, 1}) {
		t.Errorf("shape %v", a.Shape())
	}
	if f.Metadata()["format"] != "pt" || !slices.Equal(f.Names(), []string{"a", "b", "c", "d"}) {
		t.Errorf("metadata %v, names %v", f.Metadata(), f.Names())
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	eight := make([]byte, 8)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "too short"},
		"huge header":      {binary.LittleEndian.AppendUint64(nil, 1<<40), "over the limit"},
		"negative header":  {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "over the limit"},
		"truncated header": {file(`{}`, nil)[:9], "past the end"},
		"not JSON":         {file(`{"a":`, nil), "header"},
		"not an object":    {file(`[1]`, nil), "header"},
		"unknown dtype":    {file(`{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}`, eight), `unknown dtype "F31"`},
		"past the end":     {file(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, eight), "outside the data area"},
		"negative begin":   {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, eight), "outside the data area"},
		"backwards":        {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, eight), "outside the data area"},
		"wrong size":       {file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, eight), "needs 12 bytes, the range holds 8"},
		"negative axis":    {file(`{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}`, eight), "length -1"},
		"overflow":         {file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4,1],"data_offsets":[0,0]}}`, eight), "overflows"},
		"many axes":        {file(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}`, eight), "axes"},
		"overlap": {file(`{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, eight),
			`tensors "a" and "b" overlap`},
		"unknown field": {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, eight), "unknown field"},
	} {
		if _, err := open(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestIntegersAreNotWeights(t *testing.T) {
	f, err := open(file(`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, make([]byte, 8)))
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := f.Tensor("a")
	if _, err := tensor.Float32s(); err == nil || !strings.Contains(err.Error(), "dtype I64") {
		t.Errorf("error %v", err)
	}
}

func TestShardsOfAnIndex(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	one := file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4))
	two := file(`{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8))
	write("1.safetensors", one)
	write("2.safetensors", two)
	write("model.safetensors.index.json", []byte(`{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`))
	m, err := OpenFS(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Names(), []string{"a", "b"}) || !slices.Equal(m.Files(), []string{"1.safetensors", "2.safetensors"}) {
		t.Errorf("names %v, files %v", m.Names(), m.Files())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}

	for name, c := range map[string]struct{ index, want string }{
		"outside":  {`{"weight_map":{"a":"../1.safetensors"}}`, "not a path inside the folder"},
		"absolute": {`{"weight_map":{"a":"/etc/passwd"}}`, "not a path inside the folder"},
		"missing":  {`{"weight_map":{"a":"3.safetensors"}}`, "3.safetensors"},
		"empty":    {`{}`, "no weight_map"},
	} {
		write("model.safetensors.index.json", []byte(c.index))
		if _, err := OpenFS(os.DirFS(folder)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	write("2.safetensors", one)
	write("model.safetensors.index.json", []byte(`{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`))
	if _, err := OpenFS(os.DirFS(folder)); err == nil || !strings.Contains(err.Error(), "another shard too") {
		t.Errorf("a tensor twice: %v", err)
	}
}

// Whatever the bytes, reading ends without a panic and gives no more values than the
// file has bytes for.
func FuzzNew(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}`, make([]byte, 8)))
	f.Add(file(`{"__metadata__":{"k":"v"}}`, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := open(data)
		if err != nil {
			return
		}
		total := 0
		for _, name := range parsed.Names() {
			tensor, _ := parsed.Tensor(name)
			values, _ := tensor.Float32s()
			total += 2 * len(values)
		}
		if total > len(data) {
			t.Errorf("%d bytes of values out of a file of %d", total, len(data))
		}
	})
}

// Whatever sizes a header claims, reading it allocates no more than a hundred times the
// file's size and a megabyte.
func TestLyingSizesAllocateLittle(t *testing.T) {
	length := func(n uint64) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), "{}"...) }
	lies := map[string][]byte{
		"header of 100 MB":  length(100 << 20),
		"header of 2^63":    length(1 << 63),
		"header of 2^64-1":  length(1<<64 - 1),
		"shape of a giga":   file(`{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4]}}`, make([]byte, 4)),
		"range of a giga":   file(`{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}`, make([]byte, 4)),
		"shape times shape": file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil),
		"many axes":         file(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 5000)+`1],"data_offsets":[0,4]}}`, make([]byte, 4)),
		"many tensors":      file(`{`+strings.TrimSuffix(strings.Repeat(`"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`, 2000), ",")+`}`, make([]byte, 4)),
	}
	for name, data := range lies {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := open(data)
		runtime.ReadMemStats(&after)
		if got, bound := after.TotalAlloc-before.TotalAlloc, uint64(100*len(data)+1<<20); got > bound {
			t.Errorf("%s: a file of %d bytes made the reader allocate %d", name, len(data), got)
		}
		if err == nil && name != "many tensors" {
			t.Errorf("%s: accepted with %v", name, f.Names())
		}
	}
}
