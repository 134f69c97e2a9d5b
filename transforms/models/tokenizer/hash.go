package tokenizer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// hash is over the definition in one canonical layout: fixed field order,
// vocabulary and added tokens sorted, merges by rank.
func (d *definition) hash() string {
	added := slices.Clone(d.AddedTokens)
	slices.SortFunc(added, func(a, b addedToken) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Content, b.Content))
	})
	model := d.Model
	model.Vocab = nil

	h := sha256.New()
	encoder := json.NewEncoder(h)
	parts := []any{
		added, d.Normalizer, d.PreTokenizer, d.PostProcessor, d.Decoder, model, d.bos, d.eos,
	}
	for _, token := range sortedTokens(d.Model.Vocab) {
		parts = append(parts, token, d.Model.Vocab[token])
	}
	for _, part := range parts {
		// Every part is made of strings, numbers and booleans, which always encode.
		_ = encoder.Encode(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
