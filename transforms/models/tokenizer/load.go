package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Load reads a tokenizer.json, or the one in a folder. A tokenizer_config.json
// beside it says which tokens begin and end a text.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	d, err := parse(data)
	if err == nil {
		err = d.readConfig(filepath.Join(filepath.Dir(path), "tokenizer_config.json"))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t, err := build(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads the content of a tokenizer.json. That format does not say which
// tokens begin and end a text; they are taken from the post-processor, or from
// the special tokens that are customary.
func Parse(data []byte) (*Tokenizer, error) {
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t, err := build(d)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func parse(data []byte) (*definition, error) {
	d := &definition{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, err
	}
	if d.Model.Vocab == nil {
		return nil, errors.New("model: there is no vocabulary")
	}
	before, behind, err := surroundings(d.PostProcessor)
	if err != nil {
		return nil, err
	}
	d.bos = d.customary("<s>", "<|begin_of_text|>", "[CLS]", "<bos>", "<|endoftext|>")
	d.eos = d.customary("</s>", "<|end_of_text|>", "[SEP]", "<eos>", "<|endoftext|>")
	if len(before) > 0 {
		d.bos = before[0]
	}
	if len(behind) > 0 {
		d.eos = behind[len(behind)-1]
	}
	return d, nil
}

// customary returns the first of the names that is a special token.
func (d *definition) customary(names ...string) int32 {
	for _, name := range names {
		i := slices.IndexFunc(d.AddedTokens, func(t addedToken) bool { return t.Special && t.Content == name })
		if i >= 0 {
			return d.AddedTokens[i].ID
		}
	}
	return none
}

// readConfig takes bos_token and eos_token from a tokenizer_config.json, which
// need not exist.
func (d *definition) readConfig(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var config struct {
		BOS json.RawMessage `json:"bos_token"`
		EOS json.RawMessage `json:"eos_token"`
	}
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if id, ok := d.named(config.BOS); ok {
		d.bos = id
	}
	if id, ok := d.named(config.EOS); ok {
		d.eos = id
	}
	return nil
}

// named finds a token that a configuration names, as a string or as an object
// with its content.
func (d *definition) named(raw json.RawMessage) (int32, bool) {
	var name string
	var object struct{ Content string }
	if json.Unmarshal(raw, &name) != nil && json.Unmarshal(raw, &object) == nil {
		name = object.Content
	}
	for _, t := range d.AddedTokens {
		if t.Content == name && name != "" {
			return t.ID, true
		}
	}
	id, ok := d.Model.Vocab[name]
	return id, ok && name != ""
}
