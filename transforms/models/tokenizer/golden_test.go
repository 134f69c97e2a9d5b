package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// golden holds strings with the ids and decoded texts that the tokenizers
// library (npm @huggingface/tokenizers 0.2.0) gives for four tokenizer files.
type golden struct {
	Strings    []string             `json:"strings"`
	IDs        map[string][][]int32 `json:"ids"`
	IDsSpecial map[string][][]int32 `json:"ids_special"`
	Decoded    map[string][]*string `json:"decoded"`
}

func readJSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func load(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := Load(filepath.Join("testdata", name+".tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestGoldenIDsAndTexts(t *testing.T) {
	want := readJSON[golden](t, "golden.json")
	for name := range want.IDs {
		t.Run(name, func(t *testing.T) {
			tok, equal := load(t, name), 0
			for i, text := range want.Strings {
				ids, special := tok.Encode(text), tok.Encode(text, WithSpecial())
				switch decoded := want.Decoded[name][i]; {
				case !slices.Equal(ids, want.IDs[name][i]):
					t.Errorf("%q: ids %v, want %v", text, ids, want.IDs[name][i])
				case !slices.Equal(special, want.IDsSpecial[name][i]):
					t.Errorf("%q: with special tokens %v, want %v", text, special, want.IDsSpecial[name][i])
				case decoded != nil && tok.Decode(ids, false) != *decoded:
					t.Errorf("%q: decoded %q, want %q", text, tok.Decode(ids, false), *decoded)
				default:
					equal++
				}
			}
			t.Logf("%d of %d equal", equal, len(want.Strings))
		})
	}
}
