package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// smollm2 holds what SmolLM2-135M-Instruct's tokenizer gives for varied strings,
// and as much of its vocabulary as these strings can use.
type smollm2 struct {
	Size            int
	Strings         []string
	IDs             [][]int32
	Special, Tokens map[int]string
	Merges          []string
}

func (s *smollm2) meta() map[string]any {
	tokens, types := make([]string, s.Size), make([]int32, s.Size)
	for id := range tokens {
		tokens[id], types[id] = fmt.Sprintf("<unused %d>", id), ggufNormal
	}
	maps.Insert(s.Tokens, maps.All(s.Special))
	for id, token := range s.Tokens {
		tokens[id] = token
	}
	for id := range s.Special {
		types[id] = ggufControl
	}
	return map[string]any{
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
		"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types,
		"tokenizer.ggml.merges":       s.Merges,
		"tokenizer.ggml.bos_token_id": uint32(1), "tokenizer.ggml.eos_token_id": uint32(2),
		"tokenizer.ggml.unknown_token_id": uint32(0), "tokenizer.ggml.add_bos_token": false,
	}
}

func fromGGUF(t testing.TB, meta map[string]any) *Tokenizer {
	t.Helper()
	tok, err := FromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func equalToReference(t *testing.T, tok *Tokenizer, texts []string, want [][]int32) {
	t.Helper()
	for i, text := range texts {
		if ids := tok.Encode(text); !slices.Equal(ids, want[i]) {
			t.Errorf("%q: ids %v, want %v", text, ids, want[i])
		}
	}
}

func TestSmolLM2EqualsReference(t *testing.T) {
	want := readJSON[smollm2](t, "smollm2.json")
	tok := fromGGUF(t, want.meta())
	equalToReference(t, tok, want.Strings, want.IDs)
	for i, text := range want.Strings {
		if got := tok.Decode(want.IDs[i], false); got != text {
			t.Errorf("%q: decoded %q", text, got)
		}
	}
	if bos, ok := tok.BOS(); bos != 1 || !ok {
		t.Errorf("BOS %d, %v", bos, ok)
	}
	if eos, ok := tok.EOS(); eos != 2 || !ok {
		t.Errorf("EOS %d, %v", eos, ok)
	}
	if ids := tok.Encode("Hello", WithSpecial()); len(ids) != 1 {
		t.Errorf("add_bos_token is false, but WithSpecial gives %v", ids)
	}
}

// TestSmolLM2FullMetadata repeats the comparison with all 49,152 tokens.
// PENSTOCK_SMOLLM2 names a JSON file with the tokenizer.ggml keys of the model.
func TestSmolLM2FullMetadata(t *testing.T) {
	path := os.Getenv("PENSTOCK_SMOLLM2")
	if path == "" {
		t.Skip("PENSTOCK_SMOLLM2 does not name a JSON file of the model's tokenizer metadata")
	}
	data, err := os.ReadFile(path)
	var meta map[string]any
	if err == nil {
		err = json.Unmarshal(data, &meta)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := readJSON[smollm2](t, "smollm2.json")
	equalToReference(t, fromGGUF(t, meta), want.Strings, want.IDs)
}

// tokenizerJSON reads the vocabulary and merges of a tokenizer file.
func tokenizerJSON(t testing.TB, name string) *definition {
	d := readJSON[definition](t, name+".tokenizer.json")
	return &d
}

// ggufTokens lists a vocabulary and its types the way a GGUF file does.
func ggufTokens(d *definition) (tokens []string, types []int32) {
	tokens, types = make([]string, len(d.Model.Vocab)), make([]int32, len(d.Model.Vocab))
	for token, id := range d.Model.Vocab {
		tokens[id], types[id] = token, ggufNormal
	}
	for _, a := range d.AddedTokens {
		types[a.ID] = ggufControl
	}
	return tokens, types
}

func TestGGUFByteLevelEqualsTokenizerJSON(t *testing.T) {
	want := readJSON[golden](t, "golden.json")
	for name, pre := range map[string]string{"tiny-bytelevel-bpe": "default", "tiny-split-bytelevel-bpe": "llama-bpe"} {
		d := tokenizerJSON(t, name)
		tokens, types := ggufTokens(d)
		var merges []any
		for _, m := range d.Model.Merges {
			merges = append(merges, m.Left+" "+m.Right)
		}
		tok := fromGGUF(t, map[string]any{
			"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre,
			"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": merges,
		})
		equalToReference(t, tok, want.Strings, want.IDs[name])
	}
}

func TestGGUFBertEqualsTokenizerJSON(t *testing.T) {
	want := readJSON[golden](t, "golden.json")
	tokens, types := ggufTokens(tokenizerJSON(t, "tiny-wordpiece"))
	for i, token := range tokens {
		if rest, ok := strings.CutPrefix(token, "##"); ok {
			tokens[i] = rest
		} else if types[i] == ggufNormal {
			tokens[i] = "▁" + token
		}
	}
	tok := fromGGUF(t, map[string]any{
		"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types,
		"tokenizer.ggml.cls_token_id": uint32(2), "tokenizer.ggml.seperator_token_id": uint32(3),
	})
	equalToReference(t, tok, want.Strings, want.IDs["tiny-wordpiece"])
	for i, text := range want.Strings {
		if ids := tok.Encode(text, WithSpecial()); !slices.Equal(ids, want.IDsSpecial["tiny-wordpiece"][i]) {
			t.Errorf("%q: with special tokens %v", text, ids)
		}
	}
}

// naiveSentencePiece merges the best adjacent pair until there is none, looking
// at all of them each time.
func naiveSentencePiece(pieces []string, scores []float32, text string) []int32 {
	if text == "" {
		return nil
	}
	ids := map[string]int32{}
	for id, piece := range pieces {
		ids[piece] = int32(id)
	}
	var symbols []string
	for _, r := range "▁" + strings.ReplaceAll(text, " ", "▁") {
		if _, ok := ids[string(r)]; ok {
			symbols = append(symbols, string(r))
			continue
		}
		for _, b := range []byte(string(r)) {
			symbols = append(symbols, fmt.Sprintf("<0x%02X>", b))
		}
	}
	for {
		best := -1
		for i := range len(symbols) - 1 {
			if strings.HasPrefix(symbols[i], "<0x") || strings.HasPrefix(symbols[i+1], "<0x") {
				continue
			}
			id, ok := ids[symbols[i]+symbols[i+1]]
			if ok && (best < 0 || scores[id] > scores[ids[symbols[best]+symbols[best+1]]]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		symbols = slices.Replace(symbols, best, best+2, symbols[best]+symbols[best+1])
	}
	out := make([]int32, len(symbols))
	for i, symbol := range symbols {
		out[i] = ids[symbol]
	}
	return out
}

func TestGGUFSentencePieceMergesByScore(t *testing.T) {
	d := tokenizerJSON(t, "tiny-sp-bpe-bytefallback")
	tokens, types := ggufTokens(d)
	scores := make([]float32, len(tokens))
	for i, m := range d.Model.Merges {
		scores[d.Model.Vocab[m.Left+m.Right]] = -float32(i / 3) // some are equal
	}
	tok := fromGGUF(t, map[string]any{
		"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": scores,
		"tokenizer.ggml.token_type": types, "tokenizer.ggml.bos_token_id": uint32(1),
	})
	for _, text := range readJSON[golden](t, "golden.json").Strings {
		if strings.Contains(text, "<s>") || !utf8.ValidString(text) {
			continue // holds a control token, which the naive algorithm does not know
		}
		ids := tok.Encode(text)
		if want := naiveSentencePiece(tokens, scores, text); !slices.Equal(ids, want) {
			t.Errorf("%q: ids %v, want %v", text, ids, want)
		}
		if got := tok.Decode(ids, true); got != text {
			t.Errorf("%q: decoded %q", text, got)
		}
	}
	if ids := tok.Encode("a", WithSpecial()); ids[0] != 1 {
		t.Errorf("a SentencePiece vocabulary begins texts with BOS, got %v", ids)
	}
}

func TestGGUFRefusesInOneLine(t *testing.T) {
	tokens := []string{"a", "b", "ab"}
	for name, c := range map[string]struct {
		meta map[string]any
		want string
	}{
		"no tokens":     {map[string]any{"model": "gpt2"}, "tokens is missing"},
		"family":        {map[string]any{"model": "t5", "tokens": tokens}, `"t5" is not supported`},
		"pattern":       {map[string]any{"model": "gpt2", "pre": "viking", "tokens": tokens}, `"viking" is not supported`},
		"types":         {map[string]any{"model": "gpt2", "tokens": tokens, "token_type": []int32{1}}, "1 entries for 3 tokens"},
		"scores":        {map[string]any{"model": "llama", "tokens": tokens}, "0 entries for 3 tokens"},
		"array":         {map[string]any{"model": "gpt2", "tokens": 7}, "want an array of strings"},
		"item":          {map[string]any{"model": "gpt2", "tokens": []any{"a", 1}}, "tokens[1] is int"},
		"merge":         {map[string]any{"model": "gpt2", "tokens": tokens, "merges": []string{"ab"}}, "merges[0]"},
		"unknown merge": {map[string]any{"model": "gpt2", "tokens": tokens, "merges": []string{"a c"}}, "merges[0]"},
		"flag":          {map[string]any{"model": "llama", "tokens": tokens, "scores": []float32{0, 0, 0}, "add_bos_token": "yes"}, "want a bool"},
		"bert unknown":  {map[string]any{"model": "bert", "tokens": tokens}, "unk_token"},
	} {
		meta := map[string]any{}
		for key, value := range c.meta {
			meta[ggufPrefix+key] = value
		}
		_, err := FromGGUF(meta)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", name, err, c.want)
		}
	}
}
