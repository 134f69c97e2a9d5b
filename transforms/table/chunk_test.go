package table

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock.dev/transforms"
)

func TestChunk(t *testing.T) {
	s, rows := table(t, "id:int64, text:string", `[1, " one two  three four five\n"]`, `[2, null]`, `[3, " "]`, `[4, "one"]`)
	n, out := node(t, "Chunk", `{"size": 2, "minSize": 2}`, in(s))
	if got := out.Get("out").String(); got != "id: int64, text: string, chunk: int64, chunk_start: int64, chunk_end: int64" {
		t.Errorf("columns %s", got)
	}
	got, refused := process(t, n, rows)
	equal(t, "out", got.rows("out"), []string{"t#0/0: 1  one two   0 0 10", "t#0/1: 1 three four  1 10 21"})
	equal(t, "refused", refused, []string{`null: column "text" is null`, `empty: column "text" has no text`, `too-short: column "text" has fewer than 2 words`})
}

func TestSentences(t *testing.T) {
	for text, want := range map[string]string{
		"One. Two! Three? Four":            "One. |Two! |Three? |Four",
		`He said "Go." Then he went.`:      `He said "Go." |Then he went.`,
		"Use e.g. this one. Pi is 3.14 OK": "Use e.g. this one. |Pi is 3.14 OK",
		"A title\n\nA line\nand more.":     "A title\n\n|A line\nand more.",
		"你好。再见！":                           "你好。|再见！",
		"Wait... What? (Yes.) End.":        "Wait... |What? |(Yes.) |End.",
		"  Lead. Tail  ":                   "  Lead. |Tail  ",
	} {
		var got []string
		for rest := text; rest != ""; {
			n := nextSentence(rest)
			got, rest = append(got, rest[:n]), rest[n:]
		}
		if joined := strings.Join(got, "|"); joined != want {
			t.Errorf("%q is parted as %q, want %q", text, joined, want)
		}
	}
}

// checkPassages checks what must hold of the passages of any text.
func checkPassages(t *testing.T, c ChunkConfig, text string) {
	t.Helper()
	var rebuilt strings.Builder
	at, count := 0, 0
	err := c.passages(text, func(start, end int) error {
		if start > at || end <= at || count > 0 && start == 0 {
			t.Errorf("%+v: passage %d is [%d, %d) behind %d", c, count, start, end, at)
		}
		if !utf8.ValidString(text[start:end]) {
			t.Errorf("%+v: passage %d cuts a character", c, count)
		}
		if c.Overlap == 0 && start != at {
			t.Errorf("%+v: text between passages is lost at %d", c, at)
		}
		if n := countUnits(c.Unit, text[start:end]); n > c.Size && c.Unit != "sentences" {
			t.Errorf("%+v: passage %d has %d units", c, count, n)
		}
		rebuilt.WriteString(text[at:end])
		at = end
		count++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.MinSize <= 1 && rebuilt.String() != text {
		t.Errorf("%+v: the passages join up to %q, not %q", c, rebuilt.String(), text)
	}
}

func countUnits(unit, text string) int {
	n := 0
	for text != "" {
		text = text[units[unit](text):]
		n++
	}
	return n
}

func FuzzChunk(f *testing.F) {
	f.Add("One two. Three\n\nfour “five.” six…", uint8(2), uint8(1))
	f.Add("  \u3000x ", uint8(1), uint8(0))
	f.Add("e\u0301.\n\n\n", uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, text string, size, overlap uint8) {
		if !utf8.ValidString(text) || strings.TrimSpace(text) == "" {
			t.Skip("no text")
		}
		for unit := range units {
			c := ChunkConfig{Unit: unit, Size: int(size)%9 + 1, MinSize: 1}
			c.Overlap = int(overlap) % c.Size
			checkPassages(t, c, text)
		}
	})
}

func TestHugeSizesTakeNoMemory(t *testing.T) {
	s, rows := table(t, "text:string", `["one two three"]`)
	n, _ := node(t, "Chunk", fmt.Sprintf(`{"size": %d}`, 1<<50), in(s))
	got, _ := process(t, n, rows)
	equal(t, "out", got.rows(transforms.Out), []string{"t#0/0: one two three 0 0 13"})
}
