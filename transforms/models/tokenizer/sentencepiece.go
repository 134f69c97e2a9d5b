package tokenizer

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// sentencePiece describes a SentencePiece BPE vocabulary (Kudo and Richardson
// 2018): adjacent pieces whose union is a piece are merged, the union of the
// highest score first. Pieces for which mergeable is false take no part. Words
// begin with mark, which stands for a blank; prefix puts one before the text.
func sentencePiece(pieces []string, scores []float32, mergeable func(id int) bool, mark string, prefix bool) *definition {
	d := &definition{Model: modelDefinition{
		Type: typeBPE, Vocab: make(map[string]int32, len(pieces)), FuseUnk: true, ByteFallback: true,
	}}
	for id, piece := range pieces {
		if _, taken := d.Model.Vocab[piece]; !taken {
			d.Model.Vocab[piece] = int32(id)
		}
	}
	d.Model.Merges = mergesByScore(d.Model.Vocab, pieces, scores, mergeable)

	if prefix {
		d.Normalizer = &component{Type: "Sequence", Normalizers: []component{{Type: "Prepend", Prepend: mark}}}
	}
	d.Decoder = &component{Type: "Sequence", Decoders: []component{{Type: "ByteFallback"}, {Type: "Fuse"}}}
	if blank := " "; mark != blank {
		if d.Normalizer == nil {
			d.Normalizer = &component{Type: "Sequence"}
		}
		d.Normalizer.Normalizers = append(d.Normalizer.Normalizers,
			component{Type: "Replace", Pattern: &pattern{String: &blank}, Content: mark})
		d.Decoder.Decoders = slices.Insert(d.Decoder.Decoders, 0,
			component{Type: "Replace", Pattern: &pattern{String: &mark}, Content: blank})
	}
	if prefix {
		d.Decoder.Decoders = append(d.Decoder.Decoders, component{Type: "Strip", Content: " ", Start: 1})
	}
	return d
}

// mergesByScore writes the vocabulary as merge rules: one for each way to cut a
// piece in two pieces, with equal ranks for equal scores.
func mergesByScore(vocab map[string]int32, pieces []string, scores []float32, mergeable func(int) bool) []mergeRule {
	order := make([]int, len(pieces))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })

	var rules []mergeRule
	rank := uint32(0)
	for i, id := range order {
		if i > 0 && scores[id] != scores[order[i-1]] {
			rank++
		}
		piece := pieces[id]
		if !mergeable(id) || len(piece) > longestPiece || vocab[piece] != int32(id) {
			continue
		}
		for cut := 1; cut < len(piece); cut++ {
			left, okLeft := vocab[piece[:cut]]
			right, okRight := vocab[piece[cut:]]
			if okLeft && okRight && utf8.RuneStart(piece[cut]) && mergeable(int(left)) && mergeable(int(right)) {
				rules = append(rules, mergeRule{piece[:cut], piece[cut:], rank})
			}
		}
	}
	return rules
}

// longestPiece, in bytes, keeps the cuts of a malformed vocabulary in bounds;
// SentencePiece itself stops at 16 characters.
const longestPiece = 1 << 10

// FromLlama2C reads the vocabulary of a llama2.c model (tokenizer.bin,
// tok512.bin): the length of the longest piece as int32, then for each piece its
// score as float32, its length as int32 and its bytes, all little-endian. Ids 0
// to 2 are unknown, begin and end of text; 3 to 258 are the bytes.
func FromLlama2C(data []byte) (*Tokenizer, error) {
	pieces, scores, err := readLlama2C(data)
	if err != nil {
		return nil, fmt.Errorf("llama2.c vocabulary: %w", err)
	}
	const firstMergeable = 3 + 256
	d := sentencePiece(pieces, scores, func(id int) bool { return id >= firstMergeable }, " ", true)
	d.Model.UnkToken = pieces[0]
	d.bos, d.eos = 1, 2
	for id, piece := range pieces[:3] {
		d.AddedTokens = append(d.AddedTokens, addedToken{ID: int32(id), Content: piece, Special: true})
	}
	d.surround(d.bos, true, d.eos, false)
	return build(d)
}

func readLlama2C(data []byte) (pieces []string, scores []float32, err error) {
	if len(data) < 4 {
		return nil, nil, errors.New("it is shorter than its header")
	}
	for data = data[4:]; len(data) > 0; {
		if len(data) < 8 {
			return nil, nil, fmt.Errorf("piece %d: it ends inside the record", len(pieces))
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(data))
		n := binary.LittleEndian.Uint32(data[4:])
		if data = data[8:]; uint64(n) > uint64(len(data)) {
			return nil, nil, fmt.Errorf("piece %d: %d bytes announced, %d left", len(pieces), n, len(data))
		}
		pieces, scores = append(pieces, string(data[:n])), append(scores, score)
		data = data[n:]
	}
	if len(pieces) < 3+256 || !strings.HasPrefix(pieces[3], "<0x") {
		return nil, nil, errors.New("it does not begin with 3 special and 256 byte pieces")
	}
	return pieces, scores, nil
}
