package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bpeJSON is a byte-level tokenizer.json with the given parts in place of its
// pre-tokenizer and model settings.
func bpeJSON(preTokenizer, model string) string {
	return `{"pre_tokenizer": ` + preTokenizer + `, "model": {` + model +
		`"vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "1": 4}, "merges": ["a b"]}}`
}

func TestTypeOfModelIsInferred(t *testing.T) {
	for text, want := range map[string]string{
		bpeJSON("null", ""): "BPE",
		`{"model": {"vocab": {"[UNK]": 0}, "max_input_chars_per_word": 10}}`: "WordPiece",
	} {
		tok, err := Parse([]byte(text))
		if err != nil || tok.Kind() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestParseRefusesInOneLine(t *testing.T) {
	split := func(regex string) string {
		return bpeJSON(`{"type": "Split", "pattern": {"Regex": "`+regex+`"}, "behavior": "Isolated"}`, "")
	}
	for text, want := range map[string]string{
		``:                 "unexpected end",
		`{}`:               "no vocabulary",
		`{"model": "BPE"}`: "model:",
		`{"model": {"type": "Unigram", "vocab": []}}`:                                       `"Unigram" is not supported`,
		`{"model": {"vocab": [["a", 0.5]]}}`:                                                `"Unigram" is not supported`,
		`{"model": {"vocab": {"a": 0}}}`:                                                    `"WordLevel" is not supported`,
		`{"model": {"type": "BPE", "vocab": {"a": -1}}}`:                                    "id -1 is out of range",
		`{"model": {"type": "BPE", "vocab": {"a": 2000000000}}}`:                            "out of range",
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}`:                    "merges[0]",
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "a", "a"]]}}`:        "merges[0]",
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [7]}}`:                      "merges[0]",
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}}`:                  "merges[0]",
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "unk_token": "u"}}`:                   `unk_token "u"`,
		`{"model": {"type": "WordPiece", "vocab": {"a": 0}}}`:                               `unk_token "[UNK]"`,
		bpeJSON("null", `"dropout": 0.1,`):                                                  "dropout 0.1",
		bpeJSON(`{"type": "UnicodeScripts"}`, ""):                                           `"UnicodeScripts" is not supported`,
		bpeJSON(`{"type": "Split", "behavior": "Isolated"}`, ""):                            "pattern is empty",
		bpeJSON(`{"type": "Split", "pattern": {"String": "a"}, "behavior": "Chopped"}`, ""): `"Chopped"`,
		split(`a(?=b)`):  "it looks ahead",
		split(`(?<!a)b`): "it looks behind",
		split(`\\bword`): `it uses \\b`,
		split(`\\w+`):    `it uses \\w`,
		split(`^a`):      "it is anchored",
		split(`[a&&b]`):  "it intersects",
		split(`a*`):      "it matches the empty string",
		split(`(`):       "is not supported",
		bpeJSON(`{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}`, ""): "must be the last",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(want, `\\`, `\`)) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", text, err, want)
		}
	}
}

func TestLoadReadsTheFolderAndItsConfig(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join("testdata", "tiny-sp-bpe-bytefallback.tokenizer.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "tokenizer.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	check := func(wantBOS, wantEOS int32) {
		t.Helper()
		tok, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		bos, _ := tok.BOS()
		eos, _ := tok.EOS()
		if bos != wantBOS || eos != wantEOS {
			t.Errorf("BOS %d, EOS %d; want %d, %d", bos, eos, wantBOS, wantEOS)
		}
	}
	check(1, 2)
	config := `{"bos_token": null, "eos_token": {"content": "<unk>"}}`
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	check(1, 0)
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "tokenizer_config.json") {
		t.Errorf("a damaged config gives error %v", err)
	}
	if _, err := Load(filepath.Join(dir, "absent")); err == nil {
		t.Error("a missing file gives no error")
	}
}

func TestScannersAtWhiteSpace(t *testing.T) {
	for expression, cases := range map[string]map[string][]string{
		patternGPT2: {
			"a  b":       {"a", " ", " b"},
			"a \n b":     {"a", " \n", " b"},
			"a\n\nb":     {"a", "\n", "\n", "b"},
			"a  ":        {"a", "  "},
			"a\u00a0\tb": {"a", "\u00a0", "\t", "b"},
			"it's 'S ''": {"it", "'s", " '", "S", " ''"},
		},
		patternLlama3: {
			"a  b":       {"a", " ", " b"},
			"a \n b":     {"a", " \n", " b"},
			"a\n\nb":     {"a", "\n\n", "b"},
			"a\tb\t\tc":  {"a", "\tb", "\t", "\tc"},
			"12345":      {"123", "45"},
			"it'S !!\n ": {"it", "'S", " !!\n", " "},
			" \r\n  x":   {" \r\n", " ", " x"},
		},
		patternQwen2: {"123 4": {"1", "2", "3", " ", "4"}},
		`\p{L}+|\s+(?!\S)|\s+`: { // the tail after a pattern of package regexp
			"a  b!! ": {"a", " ", " ", "b", "!!", " "},
		},
	} {
		m, err := compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range cases {
			var got []string
			split(m, isolated, false)(fragment{text: text}, func(f fragment) { got = append(got, f.text) })
			if !slices.Equal(got, want) {
				t.Errorf("%s, %q: %q, want %q", expression, text, got, want)
			}
		}
	}
}
