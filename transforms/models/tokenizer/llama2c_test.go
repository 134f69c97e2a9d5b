package tokenizer

import (
	"os"
	"strings"
	"testing"
)

func TestLlama2CEqualsReference(t *testing.T) {
	data, err := os.ReadFile("testdata/tok512.bin")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromLlama2C(data)
	if err != nil {
		t.Fatal(err)
	}
	want := readJSON[struct {
		Strings []string
		IDs     [][]int32
	}](t, "tok512.json")
	equalToReference(t, tok, want.Strings, want.IDs)
	for i, text := range want.Strings {
		if got := tok.Decode(want.IDs[i], true); got != text {
			t.Errorf("%q: decoded %q", text, got)
		}
	}
	if ids := tok.Encode("Once", WithSpecial()); ids[0] != 1 {
		t.Errorf("texts begin with BOS, got %v", ids)
	}
}

func TestLlama2CRefusesDamage(t *testing.T) {
	data, err := os.ReadFile("testdata/tok512.bin")
	if err != nil {
		t.Fatal(err)
	}
	long := append([]byte{}, data...)
	long[8] = 0xFF // the length of the first piece
	long[11] = 0xFF
	for name, damaged := range map[string][]byte{
		"empty": nil, "header": data[:3], "record": data[:7], "cut": data[:len(data)-1], "few": data[:100], "length": long,
	} {
		if _, err := FromLlama2C(damaged); err == nil || !strings.Contains(err.Error(), "llama2.c vocabulary") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
