package models

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock.dev/transforms/models/tokenizer"
)

// storiesFolder holds stories260K, a Llama of 260 000 parameters in the layout of
// llama2.c (github.com/karpathy/llama2.c).
var storiesFolder = filepath.Join("..", "..", "..", "shared", "data", "detection", "lm", "stories260K")

// The greedy text is that of llama2.c's own documentation, doc/stories260K.md.
const storiesText = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. " +
	"One day, she saw a big, red ball. She wanted to play with it, but it was too high."

func TestStories260KGreedyText(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(storiesFolder, "stories260K.bin"))
	if err != nil {
		t.Skipf("stories260K is not there: %v", err)
	}
	pieces := readStoriesVocabulary(t)
	m, err := load(func() (*source, error) { return storiesSource(t, data), nil }, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()

	tokens := []int32{1} // begin of text
	var text strings.Builder
	for text.Len() < len(storiesText) {
		var next int32
		err := m.Forward(t.Context(), [][]int32{tokens}, func(_, pos int, logits []float32) {
			if pos != len(tokens)-1 {
				return
			}
			for id, logit := range logits {
				if logit > logits[next] {
					next = int32(id)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, next)
		text.WriteString(pieces[next])
	}
	if got := strings.TrimSpace(text.String()); !strings.HasPrefix(storiesText, got) && !strings.HasPrefix(got, storiesText) {
		t.Errorf("greedy text\n%q, want\n%q", got, storiesText)
	}
}

// storiesSource reads llama2.c's layout: seven int32 of configuration, then float32
// weights by kind, all layers of a kind together, rotation pairs interleaved.
func storiesSource(t *testing.T, data []byte) *source {
	r := bytes.NewReader(data)
	var header struct{ Dim, Hidden, Layers, Heads, KVHeads, Vocab, SeqLen int32 }
	if err := binary.Read(r, binary.LittleEndian, &header); err != nil {
		t.Fatal(err)
	}
	c := &config{
		Architecture: "llama", Layers: int(header.Layers), Width: int(header.Dim), Heads: int(header.Heads),
		KVHeads: int(header.KVHeads), HeadDim: int(header.Dim / header.Heads), Hidden: int(header.Hidden),
		Vocab: int(max(header.Vocab, -header.Vocab)), Context: int(header.SeqLen), NormEps: 1e-5, RopeBase: 10000,
		TiedHead: header.Vocab > 0,
	}
	shapes := map[string][]int{}
	for _, p := range c.parameters() {
		shapes[p.name] = p.shape
	}
	s := &source{format: "llama2.c", config: c, tensors: map[string]tensor{}, tokenizer: &tokenizer.Tokenizer{}, close: func() error { return nil }}
	take := func(name string) {
		values := make([]float32, parameter{shape: shapes[name]}.elements())
		if err := binary.Read(r, binary.LittleEndian, values); err != nil {
			t.Fatal(err)
		}
		s.tensors[name] = floats{shapes[name], values}
		if strings.Contains(name, "q_proj") || strings.Contains(name, "k_proj") {
			s.tensors[name] = pairedRows{s.tensors[name], c.HeadDim}
		}
	}
	take("embed_tokens.weight")
	for _, kind := range []string{
		"input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
		"post_attention_layernorm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj",
	} {
		for i := range c.Layers {
			take("layers." + string(rune('0'+i)) + "." + kind + ".weight")
		}
	}
	take("norm.weight")
	return s
}

type floats struct {
	shape  []int
	values []float32
}

func (f floats) Shape() []int                 { return f.shape }
func (f floats) Bytes() int64                 { return int64(4 * len(f.values)) }
func (f floats) Float32s() ([]float32, error) { return f.values, nil }

// readStoriesVocabulary reads tok512.bin: the longest piece's length, then for each
// piece a score, a length and the bytes.
func readStoriesVocabulary(t *testing.T) []string {
	file, err := os.Open(filepath.Join(storiesFolder, "tok512.bin"))
	if err != nil {
		t.Skipf("stories260K's vocabulary is not there: %v", err)
	}
	defer file.Close()
	var longest int32
	if err := binary.Read(file, binary.LittleEndian, &longest); err != nil {
		t.Fatal(err)
	}
	var pieces []string
	for {
		var entry struct {
			Score  float32
			Length int32
		}
		if err := binary.Read(file, binary.LittleEndian, &entry); err == io.EOF {
			return pieces
		} else if err != nil {
			t.Fatal(err)
		}
		piece := make([]byte, entry.Length)
		if _, err := io.ReadFull(file, piece); err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, string(piece))
	}
}
