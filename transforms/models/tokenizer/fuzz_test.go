package tokenizer

import (
	"os"
	"testing"
	"unicode/utf8"
)

// The seeds are small on purpose: the fuzzer spends its time on shortening large
// inputs otherwise.
func FuzzParse(f *testing.F) {
	for _, pre := range []string{
		`{"type": "ByteLevel", "add_prefix_space": true}`,
		`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}`,
		`{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\s+(?!\\S)|\\s+"}, "behavior": "MergedWithNext"}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Punctuation"}, {"type": "Whitespace"}]}`,
	} {
		f.Add([]byte(bpeJSON(pre, `"unk_token": "a", "byte_fallback": true,`)))
	}
	f.Add([]byte(`{"added_tokens": [{"id": 1, "content": "[CLS]", "special": true, "lstrip": true}],
		"normalizer": {"type": "Sequence", "normalizers": [{"type": "BertNormalizer"}, {"type": "NFKC"},
			{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Prepend", "prepend": "a"}]},
		"pre_tokenizer": {"type": "BertPreTokenizer"},
		"post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[CLS]", 1]},
		"decoder": {"type": "Sequence", "decoders": [{"type": "WordPiece"}, {"type": "ByteFallback"}, {"type": "Strip", "content": "a", "start": 1}]},
		"model": {"vocab": {"[UNK]": 0, "a": 2, "##a": 3}, "max_input_chars_per_word": 9}}`))
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
