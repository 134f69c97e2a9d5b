package tokenizer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

var families = []string{
	"tiny-bytelevel-bpe", "tiny-split-bytelevel-bpe", "tiny-sp-bpe-bytefallback", "tiny-wordpiece",
}

// randomText draws up to n characters, many of them from the places where
// patterns and normalizers make decisions.
func randomText(r *rand.Rand, n int) string {
	special := []rune(" \n\r\t'’sSſtTlLdD09½٣éÉİßΣςäöü日本カ한😀\u0301\u200b\u00a0\u3000\u0085.,!_-<>|[]#▁")
	var text strings.Builder
	for range r.IntN(n + 1) {
		c := special[r.IntN(len(special))]
		switch r.IntN(8) {
		case 0:
			c = rune(r.IntN(utf8.MaxRune + 1))
		case 1, 2:
			c = rune(' ' + r.IntN(95))
		}
		text.WriteRune(c) // surrogates become U+FFFD
	}
	return text.String()
}

func TestByteLevelDecodesToWhatWasEncoded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	smol := readJSON[smollm2](t, "smollm2.json")
	toks := []*Tokenizer{load(t, families[0]), load(t, families[1])}
	for range 3000 {
		text := randomText(r, 40)
		for _, tok := range toks {
			if got := tok.Decode(tok.Encode(text), false); got != text {
				t.Fatalf("%q: decoded %q", text, got)
			}
		}
	}
	tok := fromGGUF(t, smol.meta())
	for _, text := range readJSON[golden](t, "golden.json").Strings[48:98] { // English prose
		if got := tok.Decode(tok.Encode(text), false); strings.Trim(got, text) != "" {
			t.Errorf("%q: decoded %q", text, got)
		}
	}
}

func TestByteLevelSpansCoverTheText(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range families[:2] {
		tok := load(t, name)
		for range 1000 {
			text := randomText(r, 30) + "<|endoftext|>" + randomText(r, 3)
			ids, spans := tok.EncodeOffsets(text)
			if !slices.Equal(ids, tok.Encode(text)) {
				t.Fatalf("%q: EncodeOffsets and Encode disagree", text)
			}
			at := 0
			for i, s := range spans {
				var want []byte
				if want = appendBytes(nil, tok.Token(ids[i])); s.Start != at || text[s.Start:s.End] != string(want) {
					t.Fatalf("%q: token %q has span %v after %d", text, want, s, at)
				}
				at = s.End
			}
			if at != len(text) {
				t.Fatalf("%q: spans end at %d of %d", text, at, len(text))
			}
		}
	}
}

func TestSpansOfNormalizedText(t *testing.T) {
	for _, c := range []struct {
		tokenizer, text string
		want            []string
	}{
		{"tiny-wordpiece", "  THE\x00  Éa", []string{"THE", "Éa"}},
		{"tiny-wordpiece", "the日the e\u0301.", []string{"the", "日", "the", "e", "."}},
		{"tiny-sp-bpe-bytefallback", "the the", []string{"the", " the"}},
		{"tiny-sp-bpe-bytefallback", " \n", []string{" ", "\n"}},
	} {
		ids, spans := load(t, c.tokenizer).EncodeOffsets(c.text)
		var got []string
		for i, s := range spans {
			if text := c.text[s.Start:s.End]; text != "" && (i == 0 || s != spans[i-1]) {
				got = append(got, text)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, %q: %d tokens from %q, want %q", c.tokenizer, c.text, len(ids), got, c.want)
		}
	}
}

func TestSpansStayInOrderAndInside(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, name := range families {
		tok := load(t, name)
		for range 500 {
			text := randomText(r, 30)
			ids, spans := tok.EncodeOffsets(text, WithSpecial())
			if len(ids) != len(spans) {
				t.Fatalf("%s, %q: %d ids, %d spans", name, text, len(ids), len(spans))
			}
			at := 0
			for _, s := range spans {
				if s.Start < at || s.End < s.Start || s.End > len(text) {
					t.Fatalf("%s, %q: span %v after %d", name, text, s, at)
				}
				at = s.Start
			}
		}
	}
}

func TestSpecialTokensInText(t *testing.T) {
	tok := load(t, "tiny-bytelevel-bpe")
	id, ok := tok.ID("<|endoftext|>")
	if !ok || !tok.Special(id) {
		t.Fatalf("ID(<|endoftext|>) = %d, %v", id, ok)
	}
	text := "a<|endoftext|>b"
	if ids := tok.Encode(text); len(ids) != 3 || ids[1] != id {
		t.Errorf("the special token is not recognised: %v", ids)
	}
	plain := tok.Encode(text, WithPlainText())
	if slices.Contains(plain, id) || tok.Decode(plain, true) != text {
		t.Errorf("WithPlainText gives %v", plain)
	}
	if got := tok.Decode(tok.Encode(text), true); got != "ab" {
		t.Errorf("special tokens skipped: %q", got)
	}
}

func TestAddedTokenBorders(t *testing.T) {
	set := newAddedSet(map[string]addedToken{
		"<l>":  {ID: 1, Content: "<l>", LStrip: true},
		"<r>":  {ID: 2, Content: "<r>", RStrip: true},
		"word": {ID: 3, Content: "word", SingleWord: true},
		"<l>x": {ID: 4, Content: "<l>x"},
	})
	for text, want := range map[string]string{
		"a  <l>  b":           "a|<1:  <l>>|  b",
		"a  <r>  b":           "a  |<2:<r>  >|b",
		"sword word words":    "sword |<3:word>| words",
		"wordword":            "wordword",
		"<r>  <l>":            "<2:<r>  >|<1:<l>>",
		"<l>xy":               "<4:<l>x>|y",
		"é word\u0301, word!": "é word\u0301, |<3:word>|!",
	} {
		var got []string
		set.cut(fragment{text: text}, false,
			func(f fragment, id int32) { got = append(got, "<"+string('0'+id)+":"+f.text+">") },
			func(f fragment) { got = append(got, f.text) })
		if strings.Join(got, "|") != want {
			t.Errorf("%q: %q, want %q", text, strings.Join(got, "|"), want)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	text := "ok \xff\xc3 \xe2\x82"
	for _, name := range families {
		tok := load(t, name)
		ids, _ := tok.EncodeOffsets(text)
		got := tok.Decode(ids, false)
		if !utf8.ValidString(got) {
			t.Errorf("%s: decoded %q is not valid", name, got)
		}
		if name != "tiny-wordpiece" && got != "ok \uFFFD\uFFFD \uFFFD" && got != "ok \uFFFD\uFFFD \uFFFD\uFFFD" {
			t.Errorf("%s: decoded %q", name, got)
		}
	}
}

func TestDecodeIgnoresUnknownIDs(t *testing.T) {
	for _, name := range families {
		if got := load(t, name).Decode([]int32{-1, 1 << 30}, false); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	want := readJSON[golden](t, "golden.json")
	for _, name := range families {
		tok := load(t, name)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { equalToReference(t, tok, want.Strings, want.IDs[name]) })
		}
		wg.Wait()
	}
}

// TestHugeWordIsNotQuadratic encodes words of 1 MB. Quadratic merging would take
// an hour, so the limit is generous.
func TestHugeWordIsNotQuadratic(t *testing.T) {
	for _, name := range families {
		tok := load(t, name)
		for _, unit := range []string{"a", " ", "the", "é", "<", "ab\n"} {
			text := strings.Repeat(unit, 1<<20/len(unit))
			begin := time.Now()
			ids := tok.Encode(text)
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("%s: %q took %v", name, unit, took)
			}
			if name == families[0] && tok.Decode(ids, false) != text {
				t.Errorf("%s: %q does not survive", name, unit)
			}
		}
	}
}

func TestHashIgnoresLayoutAlone(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "tiny-split-bytelevel-bpe.tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	parse := func(text string) *Tokenizer {
		tok, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	text := string(data)
	tok := parse(text)
	if again := parse("  " + strings.ReplaceAll(text, `["h","e"]`, `"h e"`)); again.Hash() != tok.Hash() {
		t.Error("the hash depends on white space or on how merges are written")
	}
	if other := parse(strings.Replace(text, `{1,3}`, ``, 1)); other.Hash() == tok.Hash() {
		t.Error("the hash does not depend on the word pattern")
	}
	if len(tok.Hash()) != 64 {
		t.Errorf("hash %q", tok.Hash())
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := load(b, "tiny-split-bytelevel-bpe")
	text := strings.Join(readJSON[golden](b, "golden.json").Strings, "\n")
	b.SetBytes(int64(len(text)))
	tokens := 0
	for b.Loop() {
		tokens += len(tok.Encode(text))
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
