package models

import (
	"math"
	"strings"
	"sync/atomic"
	"testing"
)

func TestSelfTestOfEveryFamily(t *testing.T) {
	lm := openTest(t, "testdata/tiny/llama-tied")
	if err := lm.SelfTest(t.Context()); err != nil {
		t.Error(err)
	}
	e, err := OpenEncoder(t.Context(), "testdata/tiny/roberta", EncoderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.SelfTest(t.Context()); err != nil {
		t.Error(err)
	}
	v, err := OpenVision(t.Context(), "testdata/tiny/dinov2-swiglu", VisionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.SelfTest(t.Context()); err != nil {
		t.Error(err)
	}
	for ref, want := range map[string]Family{
		"testdata/tiny/gpt2": LanguageModel, "testdata/tiny/qwen2.gguf": LanguageModel, "pocket": LanguageModel,
		"testdata/tiny/bert": TextEncoder, "testdata/tiny/vit": VisionEncoder, "nowhere": LanguageModel,
	} {
		if got := FamilyOf(ref); got != want {
			t.Errorf("%s is a %s, want a %s", ref, got, want)
		}
	}
}

// The self-test finds what is not a number and what depends on the company.
func TestSelfTestFindsFaults(t *testing.T) {
	broken := func(int) ([]float32, error) { return []float32{1, float32(math.NaN())}, nil }
	if err := aloneAsTogether(&goTraits, []int{1, 2}, broken); err == nil || !strings.Contains(err.Error(), "not a number") {
		t.Errorf("error %v", err)
	}
	var calls atomic.Int32
	moody := func(int) ([]float32, error) { return []float32{100 + float32(calls.Add(1))/10}, nil }
	if err := aloneAsTogether(&xlaTraits, []int{1, 2}, moody); err == nil || !strings.Contains(err.Error(), "company") {
		t.Errorf("error %v", err)
	}
}
