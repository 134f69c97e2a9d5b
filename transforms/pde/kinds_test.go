package pde

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/pde/problem"
)

const small = `"shape":[12,10],"rows":9,"field":{"alpha":2,"tau":3,"scale":0.5},"wave":8,"speed":3,"seed":1`

// node makes a configured node and works out its columns.
func node(t testing.TB, kind, config string, in transforms.Ports) (transforms.Node, transforms.Ports) {
	t.Helper()
	n, out, err := tryNode(kind, config, in)
	if err != nil {
		t.Fatal(err)
	}
	return n, out
}

func tryNode(kind, config string, in transforms.Ports) (transforms.Node, transforms.Ports, error) {
	k, _ := transforms.Lookup(kind)
	n, err := k.New([]byte(config))
	if err != nil {
		return nil, nil, err
	}
	out, err := n.Columns(in)
	return n, out, err
}

// sampled are the rows of a SamplePDE, splits read in any order.
func sampled(t testing.TB, config string, backwards bool) ([]*data.Record, transforms.Ports) {
	t.Helper()
	n, out := node(t, "SamplePDE", config, nil)
	source := n.(transforms.Source)
	splits, err := source.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if backwards {
		slices.Reverse(splits)
	}
	var rows []*data.Record
	for _, s := range splits {
		err := source.Read(t.Context(), s, func(r *data.Record) error {
			rows = append(rows, r)
			return nil
		}, func(r *transforms.Rejected) { t.Error(r.Err) })
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(rows, func(a, b *data.Record) int { return cmp.Compare(a.Order, b.Order) })
	return rows, transforms.Ports{{Name: transforms.In, Schema: out.Get(transforms.Out)}}
}

// memory is the input of SolvePDE and collects what it refuses.
type memory struct {
	rows    []*data.Record
	refused map[string]string // class: message by row
}

func (m *memory) Rows(string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		for _, r := range m.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memory) Count(string) int64 { return int64(len(m.rows)) }

func (m *memory) Reject(r *transforms.Rejected) {
	m.refused[r.Record.ID.String()] = r.Class + ": " + r.Err
}

// solved passes rows through a SolvePDE.
func solved(t testing.TB, config string, rows []*data.Record, in transforms.Ports) ([]*data.Record, map[string]string, transforms.Node) {
	t.Helper()
	n, _ := node(t, "SolvePDE", config, in)
	m := &memory{rows, map[string]string{}}
	var out []*data.Record
	if err := n.(transforms.Global).Run(t.Context(), m, func(port string, r *data.Record) { out = append(out, r) }); err != nil {
		t.Fatal(err)
	}
	return out, m.refused, n
}

// content is the bytes of a column's tensors.
func content(rows []*data.Record, column string) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		b.WriteString(r.ID.String())
		binary.Write(&b, binary.LittleEndian, r.Get(column).Tensor().Data)
	}
	return b.Bytes()
}

func TestRowsDependOnTheirNumberAndTheSeed(t *testing.T) {
	config := `{"problem":"darcy",` + strings.Replace(small, `"rows":9`, `"rows":150`, 1) + `}`
	rows, _ := sampled(t, config, false)
	again, _ := sampled(t, config, true)
	if len(rows) != 150 || !bytes.Equal(content(rows, "coefficient"), content(again, "coefficient")) {
		t.Fatalf("%d rows, or other ones when the splits are read backwards", len(rows))
	}
	for i, r := range rows {
		if r.Order != int64(i) || r.ID.String() != fmt.Sprintf("darcy#%d", i) {
			t.Errorf("row %d is %s with order %d", i, r.ID, r.Order)
		}
	}
	other, _ := sampled(t, strings.Replace(config, `"seed":1`, `"seed":2`, 1), false)
	if bytes.Equal(content(rows, "coefficient"), content(other, "coefficient")) {
		t.Error("the seed changes nothing")
	}
	fewer, _ := sampled(t, strings.Replace(config, `"rows":150`, `"rows":3`, 1), false)
	if !bytes.Equal(content(rows[:3], "coefficient"), content(fewer, "coefficient")) {
		t.Error("a row depends on how many there are")
	}
}

// Every problem goes from draw to solution, and what the row says of it is true.
func TestEveryProblemIsSampledAndSolved(t *testing.T) {
	for _, c := range []struct{ problem, config string }{
		{problem.Darcy, `{"problem":"darcy",` + small + `}`},
		{problem.Poisson, `{"problem":"poisson",` + small + `}`},
		{problem.Thermal, `{"problem":"thermal","rows":9,"shape":[32,20]}`},
		{problem.ConvectionDiffusion, `{"problem":"convection-diffusion",` + small + `}`},
		{problem.Helmholtz, `{"problem":"helmholtz",` + small + `}`},
		{problem.PaperDarcy, `{"problem":"darcy","compat":"skr-paper","rows":9,"shape":[14,14]}`},
		{problem.PaperHelmholtz, `{"problem":"helmholtz","compat":"skr-paper","rows":9,"shape":[14,14]}`},
	} {
		rows, in := sampled(t, c.config, false)
		for _, config := range []string{`{"solver":"auto","tolerance":1e-9,"chunk":4}`, `{"solver":"skr","restart":15,"keep":6,"sort":"low","chunk":4}`, `{"solver":"direct","sort":"all","chunk":100}`} {
			out, refused, n := solved(t, config, rows, in)
			if len(out) != 9 || len(refused) != 0 {
				t.Fatalf("%s, %s: %d rows, refused %v", c.problem, config, len(out), refused)
			}
			total := 0.0
			for _, m := range n.(transforms.Metered).Metrics() {
				total += m.Value
			}
			if total != 9 {
				t.Errorf("%s: metrics count %g rows", c.problem, total)
			}
			for i, r := range out {
				if r.ID != rows[i].ID || r.Get("problem").Text() != c.problem {
					t.Errorf("%s: row %d is %s", c.problem, i, r.ID)
				}
				if got := residual(t, r); got > 1e-8 || math.Abs(got-r.Get("residual").Float64()) > 1e-13 || !r.Get("converged").Bool() {
					t.Errorf("%s, %s: residual %g, said to be %g", c.problem, config, got, r.Get("residual").Float64())
				}
			}
		}
	}
}

// residual forms a row's from its columns.
func residual(t *testing.T, r *data.Record) float64 {
	s, err := (&solver{}).read(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := problem.New(s.problem, s.shape)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Matrix(s.coefficient, s.parameters)
	if err != nil {
		t.Fatal(err)
	}
	solution := r.Get("solution").Tensor()
	if !slices.Equal(solution.Shape, r.Get("rhs").Tensor().Shape) {
		t.Errorf("shapes %v and %v", solution.Shape, r.Get("rhs").Tensor().Shape)
	}
	b := p.Gather(s.rhs)
	rest := make([]float64, a.N)
	a.Residual(rest, b, p.Gather(solution.Data.([]float64)))
	sum, norm := 0.0, 0.0
	for i := range b {
		sum += rest[i] * rest[i]
		norm += b[i] * b[i]
	}
	return math.Sqrt(sum / norm)
}

// Solutions are the same bits for any number of processors.
func TestSolutionsDoNotDependOnTheProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, problem := range []string{"darcy", "poisson", "convection-diffusion", "helmholtz"} {
		rows, in := sampled(t, `{"problem":"`+problem+`",`+strings.Replace(small, `"rows":9`, `"rows":30`, 1)+`}`, false)
		for _, config := range []string{`{"chunk":4}`, `{"solver":"skr","sort":"all","chunk":7}`} {
			var first []byte
			for _, processors := range []int{1, 2, 5} {
				runtime.GOMAXPROCS(processors)
				out, refused, _ := solved(t, config, rows, in)
				if len(refused) > 0 {
					t.Fatal(refused)
				}
				b := content(out, "solution")
				if first == nil {
					first = b
				}
				if !bytes.Equal(b, first) {
					t.Errorf("%s, %s: %d processors give other solutions", problem, config, processors)
				}
			}
		}
	}
}

// with is a row with another value in a column.
func with(r *data.Record, column string, v data.Value) *data.Record {
	values := slices.Clone(r.Values)
	values[r.Schema.Index(column)] = v
	return r.With(r.Schema, values)
}

func floats64(n int, v float64) *data.Array {
	return &data.Array{Shape: []int{12, n / 12}, Data: slices.Repeat([]float64{v}, n)}
}

// A bad row costs itself alone.
func TestBadRowsAreRejectedWithTheirReason(t *testing.T) {
	rows, in := sampled(t, `{"problem":"darcy",`+small+`}`, false)
	good, _, _ := solved(t, `{"chunk":4}`, rows, in)
	nan, negative := floats64(120, 1), floats64(120, 1)
	nan.Data.([]float64)[7], negative.Data.([]float64)[3] = math.NaN(), -2
	rows[0] = with(rows[0], "coefficient", data.TensorValue(nan))
	rows[1] = with(rows[1], "coefficient", data.TensorValue(negative))
	rows[2] = with(rows[2], "problem", data.StringValue("cookery"))
	rows[3] = with(rows[3], "rhs", data.Value{})
	rows[4] = with(rows[4], "rhs", data.TensorValue(floats64(60, 1)))
	rows[5] = with(rows[5], "rhs", data.TensorValue(floats64(120, math.Inf(1))))
	rows[6] = with(rows[6], "rhs", data.TensorValue(floats64(120, 0)))
	rows[7] = with(rows[7], "coefficient", data.TensorValue(&data.Array{Shape: []int{120}, Data: []int64{1}}))
	out, refused, _ := solved(t, `{"chunk":4}`, rows, in)
	want := map[string]string{
		"darcy#0": "value: the coefficient of cell 7 is NaN, want more than 0",
		"darcy#1": "value: the coefficient of cell 3 is -2, want more than 0",
		"darcy#2": `value: unknown problem "cookery"`,
		"darcy#3": "value: column rhs is null",
		"darcy#4": "value: column rhs has 60 values, darcy on 12×10 wants 120",
		"darcy#5": "not-finite: multigrid: not finite: the right-hand side",
		"darcy#7": "value: column coefficient holds []int64, want float64 or float32",
	}
	for row, message := range want {
		if refused[row] != message {
			t.Errorf("%s: %q, want %q", row, refused[row], message)
		}
	}
	if len(refused) != len(want) || len(out) != 2 {
		t.Fatalf("%d rows, refused %v", len(out), refused)
	}
	if zero := out[0].Get("solution").Tensor().Data.([]float64); slices.Max(zero) != 0 || slices.Min(zero) != 0 {
		t.Error("the solution for zero is not zero")
	}
	if !bytes.Equal(content(out[1:], "solution"), content(good[8:], "solution")) {
		t.Error("a good row suffered")
	}
}

func TestAToleranceBelowReachIsAReject(t *testing.T) {
	rows, in := sampled(t, `{"problem":"darcy",`+small+`}`, false)
	out, refused, _ := solved(t, `{"tolerance":1e-18}`, rows[:2], in)
	if len(out) != 0 || !strings.HasPrefix(refused["darcy#0"], "stagnation: multigrid: stagnation: relative residual") {
		t.Errorf("%d rows, %v", len(out), refused)
	}
	out, refused, _ = solved(t, `{"timeout":"1ns"}`, rows[:2], in)
	if len(out) != 0 || !strings.HasPrefix(refused["darcy#0"], "time: ") {
		t.Errorf("%d rows, %v", len(out), refused)
	}
}

// Rows from a file have lists where there were tensors.
func TestListsAreSolvedWithAShape(t *testing.T) {
	rows, in := sampled(t, `{"problem":"darcy",`+small+`}`, false)
	want, _, _ := solved(t, `{}`, rows, in)
	list := data.ListOf(data.Float64Type, false)
	fields := slices.Clone(in[0].Schema.Fields())
	fields[1].Type, fields[2].Type = list, list
	schema := data.MustSchema(fields...)
	for i, r := range rows {
		values := slices.Clone(r.Values)
		for _, c := range []int{1, 2} {
			var elements []data.Value
			for _, v := range values[c].Tensor().Data.([]float64) {
				elements = append(elements, data.Float64Value(v))
			}
			values[c] = data.ListValue(elements)
		}
		rows[i] = r.With(schema, values)
	}
	ports := transforms.Ports{{Name: transforms.In, Schema: schema}}
	got, refused, _ := solved(t, `{"shape":[12,10]}`, rows, ports)
	if len(refused) > 0 || !bytes.Equal(content(got, "solution"), content(want, "solution")) {
		t.Errorf("refused %v, or other solutions", refused)
	}
	if _, refused, _ = solved(t, `{}`, rows, ports); !strings.Contains(refused["darcy#0"], "set shape") {
		t.Error(refused)
	}
	// A shape of 8 GB a vector costs nothing.
	tooLarge := "value: column coefficient has 120 values, darcy on 30000×30000 wants more"
	if _, refused, _ = solved(t, `{"shape":[30000,30000]}`, rows, ports); refused["darcy#0"] != tooLarge || len(refused) != len(rows) {
		t.Error(refused)
	}
}

func TestMistakesAreFoundBeforeTheRun(t *testing.T) {
	_, in := sampled(t, `{"problem":"darcy",`+small+`}`, false)
	_, again := node(t, "SolvePDE", `{}`, in)
	for _, c := range []struct {
		kind, config string
		in           transforms.Ports
		field        string
	}{
		{"SamplePDE", `{"problem":"thermal","shape":[10,10],"rows":1}`, nil, "shape"},
		{"SamplePDE", `{"problem":"poisson","compat":"skr-paper","shape":[10,10],"rows":1}`, nil, "shape"},
		{"SamplePDE", `{"problem":"darcy","shape":[10,10,10],"rows":1,"field":{"alpha":1,"tau":3}}`, nil, "field"},
		{"SolvePDE", `{}`, nil, "in"},
		{"SolvePDE", `{"restart":10,"keep":10}`, in, "keep"},
		{"SolvePDE", `{}`, transforms.Ports{{Name: transforms.In, Schema: data.MustSchema(data.Field{Name: "problem", Type: data.StringType})}}, "in"},
		{"SolvePDE", `{}`, transforms.Ports{{Name: transforms.In, Schema: again.Get(transforms.Out)}}, "in"},
	} {
		_, _, err := tryNode(c.kind, c.config, c.in)
		var wrong *transforms.FieldError
		if !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%s %s: %v", c.kind, c.config, err)
		}
	}
}

// A solver that a problem excludes ends the run: no row would escape it.
func TestASolverThatDoesNotFitEndsTheRun(t *testing.T) {
	rows, in := sampled(t, `{"problem":"helmholtz",`+small+`}`, false)
	n, _ := node(t, "SolvePDE", `{"solver":"multigrid"}`, in)
	err := n.(transforms.Global).Run(t.Context(), &memory{rows, map[string]string{}}, func(string, *data.Record) {})
	if !transforms.IsFatal(err) || !strings.Contains(err.Error(), "multigrid is for darcy and poisson") {
		t.Error(err)
	}
}

func TestAnInterruptEndsSolving(t *testing.T) {
	rows, in := sampled(t, `{"problem":"darcy","shape":[64,64],"rows":64,"field":{"alpha":2,"tau":3,"scale":1}}`, false)
	n, _ := node(t, "SolvePDE", `{"solver":"gmres","chunk":2}`, in)
	ctx, cancel := context.WithCancel(t.Context())
	emitted := 0
	start := time.Now()
	err := n.(transforms.Global).Run(ctx, &memory{rows, map[string]string{}}, func(string, *data.Record) {
		if emitted++; emitted == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || emitted > 4 || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %d rows and %v", err, emitted, time.Since(start))
	}
}

// Rows may have any number of shapes; plans are kept for a few.
func TestEveryRowMayHaveAShapeOfItsOwn(t *testing.T) {
	var rows []*data.Record
	var in transforms.Ports
	for extent := range 3 * mostPlans {
		var one []*data.Record
		one, in = sampled(t, fmt.Sprintf(`{"problem":"darcy","shape":[4,%d],"rows":2,"field":{"alpha":2,"tau":3,"scale":0.5}}`, extent+4), false)
		rows = append(rows, one...)
	}
	out, refused, _ := solved(t, `{"chunk":5}`, rows, in)
	if len(out) != len(rows) || len(refused) > 0 {
		t.Fatalf("%d of %d rows, refused %v", len(out), len(rows), refused)
	}
	for _, r := range out {
		if got := residual(t, r); got > 1e-8 {
			t.Errorf("%s: residual %g", r.ID, got)
		}
	}
}
