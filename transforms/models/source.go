package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"penstock.dev/transforms/models/gguf"
	"penstock.dev/transforms/models/safetensors"
	"penstock.dev/transforms/models/tokenizer"
)

// tensor is one weight of a file, read when asked for.
type tensor interface {
	Shape() []int
	Bytes() int64 // in the file
	Float32s() ([]float32, error)
}

// source is an opened model file or folder, before anything is loaded.
type source struct {
	format    string // "safetensors" or "gguf"
	config    *config
	tensors   map[string]tensor // by the names of [parameter]
	tokenizer *tokenizer.Tokenizer
	hash      string
	close     func() error
}

const (
	configName    = "config.json"
	tokenizerName = "tokenizer.json"
	maxJSON       = 256 << 20
)

// openFolder opens config.json, tokenizer.json and the safetensors of a folder.
func openFolder(fsys fs.FS) (*source, error) {
	configJSON, err := readJSON(fsys, configName)
	if err != nil {
		return nil, err
	}
	c, err := parseHubConfig(configJSON)
	if err != nil {
		return nil, err
	}
	tokenizerJSON, err := readJSON(fsys, tokenizerName)
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.Parse(tokenizerJSON)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerName, err)
	}
	files, err := safetensors.OpenFS(fsys)
	if err != nil {
		return nil, err
	}
	hash, err := hashFiles(fsys, append(slices.Clone(files.Files()), configName, tokenizerName))
	if err != nil {
		files.Close()
		return nil, err
	}
	s := &source{format: "safetensors", config: c, tokenizer: tok, hash: hash, tensors: map[string]tensor{}, close: files.Close}
	for _, name := range files.Names() {
		t, _ := files.Tensor(name)
		s.tensors[canonicalName(name)] = t
	}
	return s, nil
}

func readJSON(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	if info.Size() > maxJSON {
		return nil, fmt.Errorf("%s: %d bytes is over the limit of %d", name, info.Size(), maxJSON)
	}
	return fs.ReadFile(fsys, name)
}

// canonicalName drops the prefix some files have and others lack.
func canonicalName(name string) string {
	return withoutPrefix(name, []string{"model.", "transformer."})
}

func withoutPrefix(name string, prefixes []string) string {
	for _, prefix := range prefixes {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// openGGUF opens a .gguf file, which holds configuration and tokenizer too.
func openGGUF(path string) (*source, error) {
	file, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := ggufSource(file, path)
	if err != nil {
		file.Close()
		return nil, err
	}
	return s, nil
}

func ggufSource(file *gguf.File, path string) (*source, error) {
	c, err := parseGGUFConfig(file.Metadata())
	if err != nil {
		return nil, err
	}
	tensors := map[string]tensor{}
	for _, name := range file.Names() {
		t, _ := file.Tensor(name)
		tensors[ggufName(name)] = t
	}
	if embedding, ok := tensors[c.embeddingName()]; ok && len(embedding.Shape()) == 2 {
		c.Vocab = embedding.Shape()[0]
	}
	_, untied := tensors[headName]
	c.TiedHead = !untied
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.takeDivisors(tensors); err != nil {
		return nil, err
	}
	if file.Metadata()["general.architecture"] == "llama" {
		for name, t := range tensors {
			if strings.HasSuffix(name, "self_attn.q_proj.weight") || strings.HasSuffix(name, "self_attn.k_proj.weight") {
				tensors[name] = pairedRows{t, c.HeadDim}
			}
		}
	}
	tok, err := tokenizer.FromGGUF(file.Metadata())
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	hash, err := hashFiles(os.DirFS(filepath.Dir(path)), []string{filepath.Base(path)})
	if err != nil {
		return nil, err
	}
	return &source{format: "gguf", config: c, tensors: tensors, tokenizer: tok, hash: hash, close: file.Close}, nil
}

// takeDivisors moves the divisors of the rotation frequencies, which GGUF files of
// Llama 3.1 keep as a tensor, to the configuration.
func (c *config) takeDivisors(tensors map[string]tensor) error {
	const name = "rope_freqs.weight"
	t, ok := tensors[name]
	if !ok {
		return nil
	}
	delete(tensors, name)
	values, err := t.Float32s()
	if err != nil {
		return err
	}
	c.RopeDivisors = nil
	for _, v := range values {
		if !(v > 0) {
			return fmt.Errorf("%s holds %v", name, v)
		}
		c.RopeDivisors = append(c.RopeDivisors, float64(v))
	}
	return c.check()
}

// ggufName translates a GGUF tensor's name to that of the safetensors files; an
// unknown name stays as it is and is reported as unexpected.
func ggufName(name string) string {
	if known, ok := ggufNames[name]; ok {
		return known
	}
	layer, rest, ok := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
	if known, there := ggufLayerNames[rest]; ok && there && strings.HasPrefix(name, "blk.") {
		return "layers." + layer + "." + known
	}
	return name
}

var ggufNames = map[string]string{
	"token_embd.weight":  "embed_tokens.weight",
	"output_norm.weight": "norm.weight",
	"output.weight":      headName,
}

var ggufLayerNames = map[string]string{
	"attn_norm.weight":   "input_layernorm.weight",
	"attn_q.weight":      "self_attn.q_proj.weight",
	"attn_k.weight":      "self_attn.k_proj.weight",
	"attn_v.weight":      "self_attn.v_proj.weight",
	"attn_output.weight": "self_attn.o_proj.weight",
	"attn_q.bias":        "self_attn.q_proj.bias",
	"attn_k.bias":        "self_attn.k_proj.bias",
	"attn_v.bias":        "self_attn.v_proj.bias",
	"attn_q_norm.weight": "self_attn.q_norm.weight",
	"attn_k_norm.weight": "self_attn.k_norm.weight",
	"ffn_norm.weight":    "post_attention_layernorm.weight",
	"ffn_gate.weight":    "mlp.gate_proj.weight",
	"ffn_up.weight":      "mlp.up_proj.weight",
	"ffn_down.weight":    "mlp.down_proj.weight",
}

// pairedRows undoes the row order GGUF files give query and key weights: there the
// two values of a rotation pair are neighbours, row 2i and 2i+1 of a head, here they
// are rows i and i+dim/2.
type pairedRows struct {
	tensor
	headDim int
}

func (p pairedRows) Float32s() ([]float32, error) {
	values, err := p.tensor.Float32s()
	shape := p.Shape()
	if err != nil || len(shape) != 2 || shape[0]%p.headDim != 0 {
		return values, err // a wrong shape is reported with all others
	}
	out := make([]float32, len(values))
	columns, half := shape[1], p.headDim/2
	for row := range shape[0] {
		head, i := row/p.headDim, row%p.headDim
		from := head*p.headDim + i%half*2 + i/half
		copy(out[row*columns:(row+1)*columns], values[from*columns:(from+1)*columns])
	}
	return out, nil
}

// hashFiles is the SHA-256 over sizes and contents of files in order, in hexadecimal;
// a renamed file is the same model.
func hashFiles(fsys fs.FS, names []string) (string, error) {
	sum := sha256.New()
	for _, name := range names {
		file, err := fsys.Open(name)
		if err != nil {
			return "", err
		}
		info, err := file.Stat()
		if err == nil {
			fmt.Fprintf(sum, "%d\n", info.Size())
			_, err = io.Copy(sum, file)
		}
		file.Close()
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
