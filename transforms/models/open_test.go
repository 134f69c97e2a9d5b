package models

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModelIsSharedUntilItsLastClose(t *testing.T) {
	a, err := Open(t.Context(), "testdata/tiny/gpt2", Options{})
	if err != nil {
		t.Fatal(err)
	}
	absolute, _ := filepath.Abs("testdata/tiny/gpt2")
	b, err := Open(t.Context(), absolute, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a.model != b.model {
		t.Error("one folder by two names was loaded twice")
	}
	a.Close()
	a.Close() // must not release b's share
	if err := b.Score(t.Context(), []int32{1, 2}, func(int, []float32) {}); err != nil {
		t.Errorf("after the other user's Close: %v", err)
	}
	b.Close()
	if len(shared.models) != 0 {
		t.Errorf("%d models open after the last Close", len(shared.models))
	}
	if err := b.Score(t.Context(), []int32{1, 2}, func(int, []float32) {}); err == nil {
		t.Error("a closed model scores")
	}
}

func TestInfoAndHash(t *testing.T) {
	lm := openTest(t, "testdata/tiny/llama-tied")
	info := lm.Info()
	want := Info{
		Architecture: "llama", Format: "safetensors", Parameters: 23840, Layers: 2, Width: 32, Heads: 4, KVHeads: 2,
		Vocabulary: 260, Context: 64, WeightBytes: 4 * 23840, MemoryBytes: info.MemoryBytes,
	}
	if info != want {
		t.Errorf("info %+v, want %+v", info, want)
	}
	if info.MemoryBytes < 4*info.Parameters {
		t.Errorf("memory %d bytes is less than the weights", info.MemoryBytes)
	}
	other := openTest(t, "testdata/tiny/llama-untied")
	if len(lm.Hash()) != 64 || lm.Hash() == other.Hash() {
		t.Errorf("hashes %q and %q", lm.Hash(), other.Hash())
	}
}

func TestOpenErrors(t *testing.T) {
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
	for ref, want := range map[string]string{
		"":                        "empty reference",
		"no-such":                 "no such file or folder (or one of the names pocket, smollm2)",
		"doc.go":                  "not a folder and not a .gguf file",
		"testdata":                "config.json is missing",
		"smollm2":                 "`make model` fetches it",
		"testdata/tiny/gpt2.gguf": "no such file",
	} {
		_, err := Open(t.Context(), ref, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one line with %q", ref, err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if lm, err := Open(ended, "testdata/tiny/gpt2", Options{}); err == nil {
		lm.Close() // it may have been loaded before the context was looked at
	}
	if len(shared.models) != 0 {
		t.Errorf("%d models are left open by failures", len(shared.models))
	}
}

// A folder that differs in one word from a good one must be refused, and the line must
// say why.
func TestUnsupportedModelsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ from, old, new, want string }{
		"architecture":   {"llama-tied", `"llama"`, `"mamba"`, `architecture "mamba" is not supported (supported: llama`},
		"rope type":      {"llama-tied", `"rope_type": "default"`, `"rope_type": "yarn"`, `rope_type "yarn" is not supported`},
		"rope factor":    {"llama-3.1", `"factor": 8.0`, `"factor": 0.5`, "rope factor is 0.5"},
		"rope band":      {"llama-3.1", `"low_freq_factor": 1.0`, `"low_freq_factor": 4.0`, "low_freq_factor 4, high_freq_factor 4"},
		"activation":     {"llama-tied", `"silu"`, `"relu"`, `hidden_act "relu"`},
		"bias":           {"llama-tied", `"attention_bias": false`, `"attention_bias": true`, "missing layers.0.self_attn.q_proj.bias"},
		"mlp bias":       {"llama-tied", `"mlp_bias": false`, `"mlp_bias": true`, "mlp_bias=true is not supported"},
		"window":         {"qwen2", `"use_sliding_window": false`, `"use_sliding_window": true`, "use_sliding_window=true is not supported"},
		"layers":         {"llama-tied", `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, "missing layers.2.input_layernorm.weight"},
		"fewer layers":   {"llama-tied", `"num_hidden_layers": 2`, `"num_hidden_layers": 1`, "unexpected layers.1."},
		"shape":          {"llama-tied", `"intermediate_size": 48`, `"intermediate_size": 49`, "mlp.gate_proj.weight has shape [48 32], want [49 32]"},
		"untied":         {"llama-tied", `"tie_word_embeddings": true`, `"tie_word_embeddings": false`, "missing lm_head.weight"},
		"vocabulary":     {"llama-tied", `"vocab_size": 260`, `"vocab_size": 100`, "embed_tokens.weight has shape [260 32]"},
		"heads":          {"llama-tied", `"num_key_value_heads": 2`, `"num_key_value_heads": 3`, "4 attention heads are not a multiple of 3"},
		"negative":       {"llama-tied", `"num_hidden_layers": 2`, `"num_hidden_layers": -2`, "layers is -2"},
		"huge":           {"llama-tied", `"num_hidden_layers": 2`, `"num_hidden_layers": 9999999`, "layers are more than"},
		"not JSON":       {"llama-tied", `{`, `[`, "config.json"},
		"gpt2 gelu":      {"gpt2", `"gelu_new"`, `"relu"`, `activation_function "relu"`},
		"gpt2 positions": {"gpt2", `"n_positions": 64`, `"n_positions": 65`, "wpe.weight has shape [64 32], want [65 32]"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "tiny", c.from))); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, "config.json")
			data, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(data, []byte(c.old)) {
				t.Fatalf("%s has no %q (%v)", path, c.old, err)
			}
			os.WriteFile(path, bytes.Replace(data, []byte(c.old), []byte(c.new), 1), 0o644)
			_, err = Open(t.Context(), folder, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}
