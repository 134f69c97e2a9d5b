package draw

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens under testdata")

var formats = map[string]func(io.Writer, Graph) error{"dot": DOT, "mmd": Mermaid, "svg": SVG}

func TestPicturesAreAsBefore(t *testing.T) {
	for _, g := range examples() {
		for ext, write := range formats {
			t.Run(g.Name+"."+ext, func(t *testing.T) {
				var got, again bytes.Buffer
				if err := write(&got, g); err != nil {
					t.Fatal(err)
				}
				if err := write(&again, g); err != nil || !bytes.Equal(got.Bytes(), again.Bytes()) {
					t.Fatalf("the second picture differs from the first (error %v)", err)
				}
				file := filepath.Join("testdata", g.Name+"."+ext)
				if *update {
					if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got.String()); d != "" {
					t.Errorf("differs from %s (run with -update if that is meant):\n%s", file, d)
				}
			})
		}
	}
}

func TestNothingOverlaps(t *testing.T) {
	for _, g := range append(examples(), random(30, 45, 1), random(30, 60, 2)) {
		for _, down := range []bool{false, true} {
			l := laidOut(t, g, down)
			for i, a := range l.items {
				if a.width == 0 {
					continue
				}
				ax, ay := l.centre(a)
				if ax-a.width/2 < 0 || ay-a.height/2 < 0 || ax+a.width/2 > l.width || ay+a.height/2 > l.height {
					t.Errorf("%s: item %d lies outside the picture", g.Name, i)
				}
				for j, b := range l.items[:i] {
					bx, by := l.centre(b)
					if b.width > 0 && math.Abs(ax-bx) < (a.width+b.width)/2 && math.Abs(ay-by) < (a.height+b.height)/2 {
						t.Errorf("%s (down %v): items %d and %d overlap", g.Name, down, i, j)
					}
				}
			}
		}
	}
}

func TestEdgesPointForward(t *testing.T) {
	for _, g := range append(examples(), random(60, 120, 3)) {
		l := laidOut(t, g, false)
		for i, path := range l.paths {
			if from, to := path[0], path[len(path)-1]; from.start+from.along >= to.start {
				t.Errorf("%s: edge %d (%s to %s) does not lead forward", g.Name, i, g.Edges[i].From, g.Edges[i].To)
			}
		}
	}
}

func TestSweepsRemoveCrossings(t *testing.T) {
	// Two readers with two scorers and two sinks each, declared so that the
	// order of declaration crosses everywhere; the graph is planar.
	g := Graph{Name: "planar"}
	for _, n := range []string{"a", "b", "b1", "a1", "a2", "b2", "b3", "a3"} {
		g.Nodes = append(g.Nodes, Node{Name: n})
	}
	for _, e := range []string{"a a1", "a a2", "b b1", "b b2", "a1 a3", "a2 a3", "b1 b3", "b2 b3"} {
		from, to, _ := strings.Cut(e, " ")
		g.Edges = append(g.Edges, Edge{From: from, To: to, Records: -1})
	}
	l := laidOut(t, g, false)
	index := map[*item]float64{}
	for _, layer := range l.layers {
		for i, it := range layer {
			index[it] = float64(i)
		}
	}
	if n := l.crossings(index); n != 0 {
		t.Errorf("%d crossings are left", n)
	}
}

func TestTextStaysInItsBox(t *testing.T) {
	long := strings.Repeat("WideName_", 40)
	g := Graph{Name: "wide", Nodes: []Node{
		{Name: long, Kind: long, Notes: []string{long, strings.Repeat("漢字", 60)}},
		{Name: "b", Kind: "Row"},
	}, Edges: []Edge{{From: long, To: "b", FromPort: long, Added: []string{long, long, long}, Records: 1}}}
	l := laidOut(t, g, false)
	for _, s := range append(g.Nodes[0].Notes, g.Nodes[0].Name) {
		if w := textWidth(nodeText(s, nameSize*bold), nameSize*bold); w > l.items[0].width-2*padding {
			t.Errorf("%.20q is %.0f wide in a node of %.0f", s, w, l.items[0].width)
		}
	}
	for _, s := range labelLines(g.Edges[0], labelWidth) {
		if w := textWidth(s, labelSize); w > l.items[2].width {
			t.Errorf("%.20q is %.0f wide in a label of %.0f", s, w, l.items[2].width)
		}
	}
}

func TestColumnsAreShortened(t *testing.T) {
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("column_%02d", i))
	}
	for _, c := range []struct {
		edge Edge
		want []string
	}{
		{Edge{Columns: names[:2], Records: -1}, []string{"column_00, column_01"}},
		{Edge{Columns: names, Added: names[:1], Records: 1}, []string{"+ column_00", "1 row"}},
		{Edge{Columns: names, Added: []string{}, Records: 12345}, []string{"12,345 rows"}},
		{Edge{Columns: names, Records: -1}, []string{"column_00, column_01,", "column_02 +9 more"}},
		{Edge{Columns: names, FromPort: "rejects", Rejects: true, Records: 0}, []string{"rejects", "0 rows"}},
		{Edge{FromPort: "out", ToPort: "left", Records: -1}, []string{"→ left"}},
	} {
		if d := cmp.Diff(c.want, labelLines(c.edge, labelWidth)); d != "" {
			t.Errorf("%+v: %s", c.edge, d)
		}
	}
}

// TestNamesStayText reads the SVG back and counts what a hostile name could add.
func TestNamesStayText(t *testing.T) {
	bad := "</title><script>alert(1)</script>\"'&\\N%%{init}%%`#quot;\u202e\n]-->x\x00\x1b[31m\xff"
	hostile := Graph{Name: bad, Nodes: []Node{
		{Name: bad, Kind: bad, Role: bad, Notes: []string{bad}, State: bad},
		{Name: bad + "2", Kind: bad},
	}, Edges: []Edge{{From: bad, To: bad + "2", FromPort: bad, ToPort: bad, Columns: []string{bad}, Records: -1}}}
	tame := hostile
	tame.Name = "g"
	tame.Nodes = []Node{{Name: "a", Kind: "k", Notes: []string{"n"}}, {Name: "b", Kind: "k"}}
	tame.Edges = []Edge{{From: "a", To: "b", FromPort: "p", ToPort: "q", Columns: []string{"c"}, Records: -1}}

	if d := cmp.Diff(elements(t, tame), elements(t, hostile)); d != "" {
		t.Errorf("names changed the elements of the SVG: %s", d)
	}
	for ext, write := range formats {
		var got, want bytes.Buffer
		if err := errors.Join(write(&got, hostile), write(&want, tame)); err != nil {
			t.Fatal(err)
		}
		if g, w := strings.Count(got.String(), "\n"), strings.Count(want.String(), "\n"); ext != "svg" && g != w {
			t.Errorf("%s: %d lines, want %d", ext, g, w)
		}
		if s := got.String(); ext != "dot" && strings.Contains(s, "<script") || ext == "mmd" && strings.Contains(s, "%%{") {
			t.Errorf("%s: the name came through:\n%s", ext, s)
		}
		for _, forbidden := range []string{"\x00", "\x1b", "\xff", "\u202e"} {
			if strings.Contains(got.String(), forbidden) {
				t.Errorf("%s: contains %q", ext, forbidden)
			}
		}
	}
	if got, want := dotQuote(`a"b\`), `"a\"b\\"`; got != want {
		t.Errorf("dotQuote: %s, want %s", got, want)
	}
}

func TestImpossibleGraphsAreRefused(t *testing.T) {
	node := func(names ...string) (out []Node) {
		for _, n := range names {
			out = append(out, Node{Name: n})
		}
		return out
	}
	for want, g := range map[string]Graph{
		`two nodes are named "a"`:                 {Nodes: node("a", "a")},
		`edge 0 comes from "x", which is no node`: {Nodes: node("a"), Edges: []Edge{{From: "x", To: "a"}}},
		`edge 0 leads to "x", which is no node`:   {Nodes: node("a"), Edges: []Edge{{From: "a", To: "x"}}},
		`node "a" is in a cycle or behind one`:    {Nodes: node("a", "b"), Edges: []Edge{{From: "a", To: "b"}, {From: "b", To: "a"}}},
	} {
		if err := SVG(io.Discard, g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for ext, write := range formats {
		if err := write(io.Discard, Graph{}); err != nil {
			t.Errorf("empty graph as %s: %v", ext, err)
		}
	}
}

func TestThousandNodesAreQuick(t *testing.T) {
	chain := Graph{Name: "chain"} // with rejects of all nodes led to one sink at the end
	for i := range 1000 {
		chain.Nodes = append(chain.Nodes, Node{Name: fmt.Sprint("n", i), Kind: "Map"})
		if i > 0 {
			chain.Edges = append(chain.Edges, Edge{From: fmt.Sprint("n", i-1), To: fmt.Sprint("n", i), Records: 1})
			chain.Edges = append(chain.Edges, Edge{From: fmt.Sprint("n", i-1), To: "n999", FromPort: "rejects", Rejects: true})
		}
	}
	for _, g := range []Graph{chain, random(1000, 1500, 4)} {
		begin := time.Now()
		if err := SVG(io.Discard, g); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		t.Logf("%s: %v", g.Name, took)
		if took > 20*time.Second { // loose: the machine may be busy
			t.Errorf("%s took %v", g.Name, took)
		}
	}
}

func laidOut(t *testing.T, g Graph, down bool) *layout {
	t.Helper()
	ends, err := g.endpoints()
	if err != nil {
		t.Fatal(err)
	}
	rank, err := layers(g, ends)
	if err != nil {
		t.Fatal(err)
	}
	return place(g, ends, rank, down)
}

// elements counts the elements of a graph's SVG by name.
func elements(t *testing.T, g Graph) map[string]int {
	t.Helper()
	var b bytes.Buffer
	if err := SVG(&b, g); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	d := xml.NewDecoder(&b)
	for {
		token, err := d.Token()
		if err == io.EOF {
			return counts
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
		}
	}
}
