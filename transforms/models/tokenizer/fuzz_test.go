package tokenizer

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, name := range families {
		data, err := os.ReadFile(filepath.Join("testdata", name+".tokenizer.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(bpeJSON(`{"type": "Metaspace", "replacement": "▁"}`, `"unk_token": "a", "byte_fallback": true,`)))
	f.Add([]byte(bpeJSON(`{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\s+(?!\\S)|\\s+"}}`, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		ids, spans := tok.EncodeOffsets("A b 12\n\xff é", WithSpecial())
		if len(ids) != len(spans) {
			t.Errorf("%d ids, %d spans", len(ids), len(spans))
		}
		tok.Decode(ids, false)
	})
}

func FuzzEncode(f *testing.F) {
	var toks []*Tokenizer
	for _, name := range families {
		toks = append(toks, load(f, name))
	}
	f.Add("Hello  world\n\n12345 naïve <s> 日本\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for i, tok := range toks {
			ids, spans := tok.EncodeOffsets(text)
			at := 0
			for _, s := range spans {
				if s.Start < at || s.End < s.Start || s.End > len(text) {
					t.Fatalf("%s: span %v after %d", families[i], s, at)
				}
				at = s.Start
			}
			decoded := tok.Decode(ids, false)
			if i < 2 && utf8.ValidString(text) && decoded != text {
				t.Errorf("%s: decoded %q", families[i], decoded)
			}
		}
	})
}

func FuzzFromLlama2C(f *testing.F) {
	data, err := os.ReadFile("testdata/tok512.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := FromLlama2C(data); err == nil {
			tok.Decode(tok.Encode("A b 12\n\xff é"), false)
		}
	})
}
