package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
)

// Token types of tokenizer.ggml.token_type.
const (
	ggufNormal      = 1
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
)

// FromGGUF builds the tokenizer that the metadata of a GGUF file describes:
// tokenizer.ggml.model "gpt2" (byte-level BPE), "llama" (SentencePiece BPE by
// score) or "bert" (WordPiece). Arrays may be []string, []float32, []int32 or
// any other slice of numbers, or []any; numbers may be of any type.
//
// The word pattern of "gpt2" goes by tokenizer.ggml.pre; a missing one and
// "default" mean GPT-2's own.
func FromGGUF(meta map[string]any) (*Tokenizer, error) {
	g := &ggufReader{meta: meta}
	d, err := g.definition()
	if err == nil {
		err = g.err
	}
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	t, err := build(d)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return t, nil
}

// A ggufReader gives typed access to metadata and keeps the first error.
type ggufReader struct {
	meta map[string]any
	err  error

	tokens []string
	types  []int32
}

func (g *ggufReader) definition() (*definition, error) {
	g.tokens = g.strings("tokens")
	g.types = ggufNumbers[int32](g, "token_type")
	if g.err != nil {
		return nil, g.err
	}
	if len(g.tokens) == 0 {
		return nil, fmt.Errorf("tokenizer.ggml.tokens is missing")
	}
	if len(g.types) == 0 {
		g.types = make([]int32, len(g.tokens))
	}
	if len(g.types) != len(g.tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.token_type has %d entries for %d tokens", len(g.types), len(g.tokens))
	}
	switch family := g.string("model", ""); family {
	case "gpt2":
		return g.byteLevel()
	case "llama":
		return g.sentencePiece()
	case "bert":
		return g.wordPiece()
	default:
		return nil, fmt.Errorf("tokenizer.ggml.model %q is not supported; want gpt2, llama or bert", family)
	}
}

// ggufPatterns gives the splits that come before the byte level, by
// tokenizer.ggml.pre.
var ggufPatterns = map[string][]string{
	"": {patternGPT2}, "default": {patternGPT2}, "gpt-2": {patternGPT2}, "gpt2": {patternGPT2},
	"phi-2": {patternGPT2}, "mpt": {patternGPT2}, "olmo": {patternGPT2}, "jina-v2-es": {patternGPT2},
	"jina-v2-de": {patternGPT2}, "jina-es": {patternGPT2}, "jina-de": {patternGPT2},

	"smollm": {`\p{N}`, patternGPT2}, "starcoder": {`\p{N}`, patternGPT2}, "refact": {`\p{N}`, patternGPT2},
	"command-r": {`\p{N}`, patternGPT2}, "codeshell": {`\p{N}`, patternGPT2}, "exaone": {`\p{N}`, patternGPT2},

	"llama3": {patternLlama3}, "llama-v3": {patternLlama3}, "llama-bpe": {patternLlama3},
	"falcon3": {patternLlama3}, "dbrx": {patternLlama3}, "smaug-bpe": {patternLlama3},

	"qwen2": {patternQwen2}, "deepseek-r1-qwen": {patternQwen2}, "stablelm2": {patternQwen2},
}

func (g *ggufReader) byteLevel() (*definition, error) {
	pre := g.string("pre", "")
	patterns, ok := ggufPatterns[pre]
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre %q is not supported", pre)
	}
	llama3 := patterns[0] == patternLlama3
	d := &definition{
		PreTokenizer: &component{Type: "Sequence"},
		Decoder:      &component{Type: "ByteLevel"},
		Model:        modelDefinition{Type: typeBPE, Vocab: g.vocabulary(), IgnoreMerges: llama3},
	}
	for _, expression := range patterns {
		d.PreTokenizer.PreTokenizers = append(d.PreTokenizer.PreTokenizers,
			component{Type: "Split", Pattern: &pattern{Regex: &expression}, Behavior: "Isolated"})
	}
	no := false
	d.PreTokenizer.PreTokenizers = append(d.PreTokenizer.PreTokenizers,
		component{Type: "ByteLevel", AddPrefixSpace: &no, UseRegex: &no})
	if g.bool("add_space_prefix", false) {
		d.Normalizer = &component{Type: "Prepend", Prepend: " "}
	}
	for i, line := range g.strings("merges") {
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: %.40q is not a pair of tokens", i, line)
		}
		d.Model.Merges = append(d.Model.Merges, mergeRule{left, right, uint32(i)})
	}
	g.specials(d, llama3, false)
	return d, nil
}

func (g *ggufReader) sentencePiece() (*definition, error) {
	scores := ggufNumbers[float32](g, "scores")
	if len(scores) != len(g.tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.scores has %d entries for %d tokens", len(scores), len(g.tokens))
	}
	mergeable := func(id int) bool {
		return g.types[id] == 0 || g.types[id] == ggufNormal || g.types[id] == ggufUserDefined
	}
	d := sentencePiece(g.tokens, scores, mergeable, "▁", g.bool("add_space_prefix", true))
	unknown := g.id("unknown_token_id")
	for id, kind := range g.types {
		if unknown == none && kind == ggufUnknown {
			unknown = int32(id)
		}
	}
	if unknown != none {
		d.Model.UnkToken = g.tokens[unknown]
	}
	g.specials(d, true, false)
	return d, nil
}

// wordPiece undoes the spelling of GGUF, which marks the beginning of words (▁)
// where BERT marks their continuation (##).
func (g *ggufReader) wordPiece() (*definition, error) {
	marked := false
	for _, token := range g.tokens {
		marked = marked || strings.HasPrefix(token, "▁")
	}
	for i, token := range g.tokens {
		if g.types[i] > ggufNormal || !marked || bracketed(token) {
			continue
		}
		if word, ok := strings.CutPrefix(token, "▁"); ok {
			g.tokens[i] = word
		} else {
			g.tokens[i] = "##" + token
		}
	}
	cased := false // a vocabulary that holds capitals is a cased one
	for i, token := range g.tokens {
		cased = cased || g.types[i] <= ggufNormal && !bracketed(token) && strings.IndexFunc(token, unicode.IsUpper) >= 0
	}
	lowercase := !cased
	d := &definition{
		Normalizer:   &component{Type: "BertNormalizer", Lowercase: &lowercase},
		PreTokenizer: &component{Type: "BertPreTokenizer"},
		Decoder:      &component{Type: "WordPiece"},
		Model: modelDefinition{
			Type: typeWordPiece, Vocab: g.vocabulary(), UnkToken: "[UNK]", ContinuingSubwordPrefix: "##",
		},
	}
	if unknown := g.id("unknown_token_id"); unknown != none {
		d.Model.UnkToken = g.tokens[unknown]
	}
	g.specials(d, true, true)
	return d, nil
}

func bracketed(token string) bool {
	return strings.HasPrefix(token, "[") && strings.HasSuffix(token, "]")
}

func (g *ggufReader) vocabulary() map[string]int32 {
	vocab := make(map[string]int32, len(g.tokens))
	for id, token := range g.tokens {
		if _, taken := vocab[token]; !taken {
			vocab[token] = int32(id)
		}
	}
	return vocab
}

// specials adds the tokens matched in text, and those put around it.
func (g *ggufReader) specials(d *definition, addBOS, addEOS bool) {
	for id, kind := range g.types {
		if kind >= ggufUnknown && kind <= ggufUserDefined && g.tokens[id] != "" {
			d.AddedTokens = append(d.AddedTokens, addedToken{
				ID: int32(id), Content: g.tokens[id], Special: kind != ggufUserDefined,
			})
		}
	}
	d.bos, d.eos = g.id("bos_token_id"), g.id("eos_token_id")
	if d.Model.Type == typeWordPiece {
		d.bos, d.eos = firstID(g.id("cls_token_id"), d.bos), firstID(g.id("seperator_token_id"), d.eos)
	}
	d.surround(d.bos, g.bool("add_bos_token", addBOS), d.eos, g.bool("add_eos_token", addEOS))
}

func firstID(ids ...int32) int32 {
	for _, id := range ids {
		if id != none {
			return id
		}
	}
	return none
}
