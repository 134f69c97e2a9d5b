package table

import (
	"os"
	"strings"
	"testing"

	"penstock.dev/data"
)

func TestExplodeMakesARowOfEveryElementInOrder(t *testing.T) {
	for _, c := range []struct {
		name         string
		row          string
		out, refused []string
	}{
		{"elements", `[1, ["b", "a", "b"], true]`, []string{"t#0/0: 1 b true", "t#0/1: 1 a true", "t#0/2: 1 b true"}, []string{}},
		{"one element", `[1, ["a"], null]`, []string{"t#0/0: 1 a null"}, []string{}},
		{"empty list", `[1, [], true]`, []string{}, []string{}},
		{"null list", `[1, null, true]`, []string{}, []string{"null: column tags is null"}},
		{"null elements", `[1, [null, "a", null], true]`, []string{"t#0/0: 1 null true", "t#0/1: 1 a true", "t#0/2: 1 null true"}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, rows := table(t, "n:int64, tags:list<string>, ok:bool", c.row)
			n, out := node(t, "Explode", `{"column": "tags"}`, in(s))
			if got, want := out.Get("out").String(), "n: int64, tags: string, ok: bool"; got != want {
				t.Errorf("columns %s, want %s", got, want)
			}
			got, refused := process(t, n, rows)
			equal(t, "out", got.rows("out"), c.out)
			equal(t, "refused", refused, c.refused)
		})
	}
}

// Sinks write by Order.
func TestExplodedRowsKeepTheOrderOfTheirRow(t *testing.T) {
	s, rows := table(t, "tags:list<string>", `[["a", "b"]]`, `[["c"]]`)
	n, _ := node(t, "Explode", `{"column": "tags"}`, in(s))
	got, _ := process(t, n, rows)
	for i, want := range []int64{0, 0, 1} {
		if r := got["out"][i]; r.Order != want {
			t.Errorf("row %s has order %d, want %d", r.ID, r.Order, want)
		}
	}
}

func TestExplodeOfListsOfListsGoesOnWithIDs(t *testing.T) {
	s, rows := table(t, "grid:list<list<int64>>", `[[[1, 2], [], [3]]]`)
	first, out := node(t, "Explode", `{"column": "grid"}`, in(s))
	lists, _ := process(t, first, rows)
	second, _ := node(t, "Explode", `{"column": "grid"}`, in(out.Get("out")))
	got, _ := process(t, second, lists["out"])
	equal(t, "out", got.rows("out"), []string{"t#0/0.0: 1", "t#0/0.1: 2", "t#0/2.0: 3"})
}

// A null list gives no row, so only null elements can give a null.
func TestExplodedColumnIsNullableIfElementsAre(t *testing.T) {
	for _, nullable := range []bool{false, true} {
		s := data.MustSchema(data.Field{Name: "tags", Type: data.ListOf(data.StringType, nullable), Nullable: !nullable})
		_, out := node(t, "Explode", `{"column": "tags"}`, in(s))
		if got := out.Get("out").Field(0).Nullable; got != nullable {
			t.Errorf("elements nullable %t: column nullable %t", nullable, got)
		}
	}
}

func TestMistakesInExplode(t *testing.T) {
	s, _ := table(t, "n:int64, tags:list<string>")
	for config, want := range map[string]string{
		`{"column": "n"}`:    `column column-type: column "n" is int64, want list`,
		`{"column": "tgas"}`: `column missing-column: no column "tgas" in the input (did you mean "tags"?)`,
		`{"columns": "n"}`:   `json: unknown field "columns"`,
	} {
		_, _, err := tryNode(t, "Explode", config, in(s))
		equal(t, config, mistakes(err), []string{want})
	}
}

// The page that tells how to add a kind shows this one.
func TestExplodeIsThePagesExample(t *testing.T) {
	page := read(t, "../README.md")
	for _, shown := range []struct{ language, from string }{{"go", "explode.go"}, {"cue", "../../specs/table.cue"}} {
		_, block, _ := strings.Cut(page, "```"+shown.language+"\n")
		block, _, found := strings.Cut(block, "```")
		if !found || !strings.Contains(read(t, shown.from), block) {
			t.Errorf("the %s that README.md shows is not in %s", shown.language, shown.from)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
