package models

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// reference is testdata/reference/*_logits.json: what PyTorch gives for a few texts.
type reference struct {
	VocabularyIDs []int `json:"vocabulary_ids"`
	Texts         []struct {
		Text      string  `json:"text"`
		IDs       []int32 `json:"ids"`
		Positions []struct {
			Logits      []float64 `json:"logits"` // of VocabularyIDs
			LogSumExp   float64   `json:"logsumexp"`
			Argmax      int       `json:"argmax"`
			NextLogProb *float64  `json:"next_log_prob"` // absent at the last position
		} `json:"positions"`
	} `json:"texts"`
}

func testReference(t *testing.T, lm *LM, file string, tolerance float64) {
	path := filepath.Join("testdata", "reference", file)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there; make_reference.py beside it makes it", path)
	}
	var want reference
	readJSONFile(t, path, &want)
	batch := make([][]int32, len(want.Texts))
	for i, text := range want.Texts {
		batch[i] = text.IDs
		if got := lm.Tokenizer().Encode(text.Text); !slices.Equal(got, text.IDs) {
			t.Errorf("%q: tokens %v, want %v", text.Text, got, text.IDs)
		}
	}
	got := forwardAll(t, lm, batch)
	worst := 0.0
	near := func(a, b float64) bool {
		worst = max(worst, math.Abs(a-b))
		return math.Abs(a-b) <= tolerance
	}
	for i, text := range want.Texts {
		for pos, p := range text.Positions {
			logits := got[i][pos]
			for j, id := range want.VocabularyIDs {
				if !near(float64(logits[id]), p.Logits[j]) {
					t.Fatalf("text %d position %d: logit %d is %v, want %v", i, pos, id, logits[id], p.Logits[j])
				}
			}
			if sum := LogSumExp(logits); !near(sum, p.LogSumExp) {
				t.Fatalf("text %d position %d: log-sum-exp %v, want %v", i, pos, sum, p.LogSumExp)
			}
			if highest := maximum(logits); float64(highest-logits[p.Argmax]) > tolerance {
				t.Fatalf("text %d position %d: token %d is not the likeliest", i, pos, p.Argmax)
			}
			if p.NextLogProb != nil {
				if own := Position(logits, text.IDs[pos+1]).LogProb; !near(own, *p.NextLogProb) {
					t.Fatalf("text %d position %d: log-probability %v, want %v", i, pos, own, *p.NextLogProb)
				}
			}
		}
	}
	t.Logf("largest difference %.2g", worst)
}

func TestPocketEqualsTransformers(t *testing.T) {
	testReference(t, openTest(t, "pocket"), "pocket_logits.json", 1e-3)
}

func TestSmolLM2EqualsTransformers(t *testing.T) {
	if _, err := cachedGGUF("smollm2"); err != nil {
		t.Skip(err)
	}
	testReference(t, openTest(t, "smollm2"), "smollm2_logits.json", 1e-3)
}
