package degrade

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// licence is a real text with all that attacks look for.
func licence(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

func attacked(name, text string, rate float64, seed int64) (string, int) {
	return attacks[name].apply(text, rate, data.Draw(data.KeyID(text), seed, 0))
}

var anArticle = regexp.MustCompile(`(?i)\b(a|an|the) `)

// What an attack leaves alone, by the reverse of what it does.
var undo = map[string]func(string) string{
	"whitespace": func(s string) string { return strings.Join(strings.Fields(s), " ") },
	"homoglyph": func(s string) string {
		back := map[rune]rune{}
		for latin, other := range homoglyphs {
			back[other] = latin
		}
		return strings.Map(func(r rune) rune {
			if latin, ok := back[r]; ok {
				return latin
			}
			return r
		}, s)
	},
	"zero-width": func(s string) string { return strings.ReplaceAll(s, string(zeroWidthSpace), "") },
	"case":       strings.ToLower,
	"misspelling": func(s string) string { // the first and last letter of every word
		var b strings.Builder
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) {
			first, _ := utf8.DecodeRuneInString(w)
			last, _ := utf8.DecodeLastRuneInString(w)
			fmt.Fprintf(&b, "%c%c ", first, last)
		}
		return b.String()
	},
	"articles": func(s string) string { return anArticle.ReplaceAllString(s, "") },
	"numbers": func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return '0'
			}
			return r
		}, s)
	},
	"paragraphs": func(s string) string { return strings.ReplaceAll(s, "\n\n", " ") },
}

func TestAttacksChangeTheirShareAndNothingElse(t *testing.T) {
	text := licence(t)
	for name, a := range attacks {
		places := len(a.places([]rune(text)))
		if places < 10 {
			t.Fatalf("%s finds %d places in the licence", name, places)
		}
		for _, rate := range []float64{0, 0.1, 0.5, 1} {
			got, edits := attacked(name, text, rate, 1)
			if want := int(math.Round(rate * float64(places))); edits != want {
				t.Errorf("%s at %g: %d edits of %d places, want %d", name, rate, edits, places, want)
			}
			if (rate == 0) != (got == text) {
				t.Errorf("%s at %g: changed %v", name, rate, got != text)
			}
			if undo[name](got) != undo[name](text) {
				t.Errorf("%s at %g changed more than it should", name, rate)
			}
			if !utf8.ValidString(got) {
				t.Errorf("%s at %g: not UTF-8", name, rate)
			}
		}
	}
}

// The same text and seed give the same attack; another seed gives another.
func TestAttacksRepeat(t *testing.T) {
	text := licence(t)
	for name := range attacks {
		a, _ := attacked(name, text, 0.3, 1)
		b, _ := attacked(name, text, 0.3, 1)
		c, _ := attacked(name, text, 0.3, 2)
		if a != b {
			t.Errorf("%s differs from run to run", name)
		}
		if a == c {
			t.Errorf("%s does not depend on the seed", name)
		}
	}
}

// No digit stays what it is where numbers are attacked.
func TestEveryDigitBecomesAnother(t *testing.T) {
	text := strings.Repeat("0123456789", 20)
	got, _ := attacked("numbers", text, 1, 1)
	for i := range text {
		if got[i] == text[i] || got[i] < '0' || got[i] > '9' {
			t.Fatalf("digit %c became %c", text[i], got[i])
		}
	}
}

func TestMisspellingsDiffer(t *testing.T) {
	for _, word := range []string{"word", "aaaa", "letter", "book"} {
		for seed := range 50 {
			got, _ := attacked("misspelling", word, 1, int64(seed))
			if got == word || len(got) < len(word)-1 || len(got) > len(word)+1 {
				t.Errorf("%s became %s", word, got)
			}
		}
	}
}

func TestAttackTextAsANode(t *testing.T) {
	schema := data.MustSchema(data.Field{Name: "text", Type: data.StringType, Nullable: true})
	n, err := newAttackText([]byte(`{"column":"text","attack":"whitespace","rate":1,"as":"attack","seed":0}`))
	if err != nil {
		t.Fatal(err)
	}
	ports, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: schema}})
	if err != nil {
		t.Fatal(err)
	}
	var got *data.Record
	row := &data.Record{Schema: schema, Values: []data.Value{data.StringValue("so it is")}}
	if err := n.(transforms.Row).Process(t.Context(), row, func(_ string, r *data.Record) { got = r }); err != nil {
		t.Fatal(err)
	}
	if got.Get("text").Text() != "so  it  is" || got.Get("attack").Text() != "whitespace" || got.Get("attack_edits").Int64() != 2 || !got.Schema.Equal(ports[0].Schema) {
		t.Errorf("%v", got.Values)
	}
	if row.Values[0].Text() != "so it is" {
		t.Error("the input record was changed")
	}
	null := &data.Record{Schema: schema, Values: []data.Value{{}}}
	if err := n.(transforms.Row).Process(t.Context(), null, func(string, *data.Record) {}); err == nil {
		t.Error("a null was attacked")
	}
	if _, err := newAttackText([]byte(`{"column":"text","attack":"magic","as":"attack","seed":0}`)); err == nil {
		t.Error("an unknown attack was accepted")
	}
}

func FuzzAttacks(f *testing.F) {
	f.Add("The quick brown fox, 12 of a 100. And so on!", 0.5, int64(1))
	f.Add("\xff\xfe broken \x00", 1.0, int64(2))
	f.Fuzz(func(t *testing.T, text string, rate float64, seed int64) {
		if !(rate >= 0 && rate <= 1) {
			t.Skip("a rate that the schema refuses")
		}
		for name := range attacks {
			if got, _ := attacked(name, text, rate, seed); len(got) > 4*len(text)+8 {
				t.Errorf("%s made %d bytes of %d", name, len(got), len(text))
			}
		}
	})
}
