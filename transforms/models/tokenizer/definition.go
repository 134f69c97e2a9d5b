package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A definition is what a tokenizer is built from, whatever file it came in. Its
// JSON form is that of tokenizer.json.
type definition struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    *component      `json:"normalizer"`
	PreTokenizer  *component      `json:"pre_tokenizer"`
	PostProcessor *component      `json:"post_processor"`
	Decoder       *component      `json:"decoder"`
	Model         modelDefinition `json:"model"`

	bos, eos int32 // none where unknown
}

// A component is any normalizer, pre-tokenizer, post-processor or decoder; Type
// says which, and with it which of the other fields count.
type component struct {
	Type string `json:"type"`

	Normalizers   []component `json:"normalizers,omitempty"`
	PreTokenizers []component `json:"pretokenizers,omitempty"`
	Processors    []component `json:"processors,omitempty"`
	Decoders      []component `json:"decoders,omitempty"`

	Pattern  *pattern `json:"pattern,omitempty"` // Split, Replace
	Content  string   `json:"content,omitempty"` // Replace, decoder Strip
	Behavior string   `json:"behavior,omitempty"`
	Invert   bool     `json:"invert,omitempty"`

	AddPrefixSpace   *bool  `json:"add_prefix_space,omitempty"`
	UseRegex         *bool  `json:"use_regex,omitempty"`
	IndividualDigits bool   `json:"individual_digits,omitempty"`
	Delimiter        string `json:"delimiter,omitempty"`
	Replacement      string `json:"replacement,omitempty"` // Metaspace
	PrependScheme    string `json:"prepend_scheme,omitempty"`
	Split            *bool  `json:"split,omitempty"`

	Prepend            string `json:"prepend,omitempty"`
	StripLeft          bool   `json:"strip_left,omitempty"`
	StripRight         bool   `json:"strip_right,omitempty"`
	CleanText          *bool  `json:"clean_text,omitempty"` // BertNormalizer
	HandleChineseChars *bool  `json:"handle_chinese_chars,omitempty"`
	StripAccents       *bool  `json:"strip_accents,omitempty"`
	Lowercase          *bool  `json:"lowercase,omitempty"`

	Single        []templatePiece          `json:"single,omitempty"` // TemplateProcessing
	SpecialTokens map[string]templateToken `json:"special_tokens,omitempty"`
	Cls           *namedToken              `json:"cls,omitempty"` // BertProcessing, RobertaProcessing
	Sep           *namedToken              `json:"sep,omitempty"`

	Prefix  *string `json:"prefix,omitempty"`  // decoder WordPiece
	Cleanup *bool   `json:"cleanup,omitempty"` // decoder WordPiece
	Suffix  *string `json:"suffix,omitempty"`  // BPEDecoder
	Start   int     `json:"start,omitempty"`   // decoder Strip
	Stop    int     `json:"stop,omitempty"`
}

type pattern struct {
	String *string `json:"String,omitempty"`
	Regex  *string `json:"Regex,omitempty"`
}

type templatePiece struct {
	SpecialToken *templateName `json:"SpecialToken,omitempty"`
	Sequence     *templateName `json:"Sequence,omitempty"`
}

type templateName struct {
	ID string `json:"id"`
}

type templateToken struct {
	IDs []int32 `json:"ids"`
}

// A namedToken is written ["[CLS]", 101].
type namedToken struct{ id int32 }

func (t *namedToken) UnmarshalJSON(data []byte) error {
	var name string
	parts := []any{&name, &t.id}
	if err := json.Unmarshal(data, &parts); err != nil || len(parts) != 2 {
		return fmt.Errorf("post_processor: %.40s is not a pair of token and id", data)
	}
	return nil
}

func (t *namedToken) MarshalJSON() ([]byte, error) { return json.Marshal(t.id) }

const (
	typeBPE       = "BPE"
	typeWordPiece = "WordPiece"
)

type modelDefinition struct {
	Type                    string
	Vocab                   map[string]int32
	Merges                  []mergeRule
	UnkToken                string
	ContinuingSubwordPrefix string
	EndOfWordSuffix         string
	FuseUnk                 bool
	ByteFallback            bool
	IgnoreMerges            bool
	MaxInputCharsPerWord    *int
}

// A mergeRule joins two tokens; the least rank goes first.
type mergeRule struct {
	Left, Right string
	Rank        uint32
}

// modelJSON is a model as the file has it.
type modelJSON struct {
	Type                    string            `json:"type"`
	Vocab                   json.RawMessage   `json:"vocab"`
	Merges                  []json.RawMessage `json:"merges"`
	Dropout                 *float64          `json:"dropout"`
	UnkToken                *string           `json:"unk_token"`
	ContinuingSubwordPrefix *string           `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string           `json:"end_of_word_suffix"`
	FuseUnk                 bool              `json:"fuse_unk"`
	ByteFallback            bool              `json:"byte_fallback"`
	IgnoreMerges            bool              `json:"ignore_merges"`
	MaxInputCharsPerWord    *int              `json:"max_input_chars_per_word"`
}

func (m *modelDefinition) UnmarshalJSON(data []byte) error {
	var file modelJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	*m = modelDefinition{
		Type: file.kind(), FuseUnk: file.FuseUnk, ByteFallback: file.ByteFallback,
		IgnoreMerges: file.IgnoreMerges, MaxInputCharsPerWord: file.MaxInputCharsPerWord,
		UnkToken: deref(file.UnkToken, ""), EndOfWordSuffix: deref(file.EndOfWordSuffix, ""),
		ContinuingSubwordPrefix: deref(file.ContinuingSubwordPrefix, ""),
	}
	switch m.Type {
	case typeBPE:
	case typeWordPiece:
		m.UnkToken = deref(file.UnkToken, "[UNK]")
		m.ContinuingSubwordPrefix = deref(file.ContinuingSubwordPrefix, "##")
	default:
		return fmt.Errorf("model: type %q is not supported; want BPE or WordPiece", m.Type)
	}
	if deref(file.Dropout, 0) != 0 {
		return fmt.Errorf("model: dropout %v makes encoding random; set it to null", *file.Dropout)
	}
	if err := json.Unmarshal(file.Vocab, &m.Vocab); err != nil {
		return fmt.Errorf("model: vocab: %w", err)
	}
	for i, raw := range file.Merges {
		rule, err := parseMerge(raw)
		if err != nil {
			return fmt.Errorf("model: merges[%d]: %w", i, err)
		}
		rule.Rank = uint32(i)
		m.Merges = append(m.Merges, rule)
	}
	return nil
}

// kind infers the type where old files leave it out.
func (m *modelJSON) kind() string {
	switch {
	case m.Type != "":
		return m.Type
	case m.Merges != nil:
		return typeBPE
	case m.ContinuingSubwordPrefix != nil || m.MaxInputCharsPerWord != nil:
		return typeWordPiece
	case strings.HasPrefix(string(m.Vocab), "["):
		return "Unigram"
	}
	return "WordLevel"
}

// parseMerge reads both encodings: "a b" and ["a", "b"].
func parseMerge(raw json.RawMessage) (mergeRule, error) {
	var both []string
	if err := json.Unmarshal(raw, &both); err != nil {
		var line string
		if err := json.Unmarshal(raw, &line); err != nil {
			return mergeRule{}, fmt.Errorf("%.40s is neither a string nor a pair of strings", raw)
		}
		both = strings.Split(line, " ")
	}
	if len(both) != 2 {
		return mergeRule{}, fmt.Errorf("%.40s is not a pair of tokens", raw)
	}
	return mergeRule{Left: both[0], Right: both[1]}, nil
}

// byID returns the tokens of the vocabulary and the added ones by their id, ""
// where there is none.
func (d *definition) byID() ([]string, error) {
	most := 16*(len(d.Model.Vocab)+len(d.AddedTokens)) + 1<<16 // ids may have gaps, within reason
	size := 0
	claim := func(token string, id int32) error {
		if id < 0 || int(id) >= most {
			return fmt.Errorf("token %q: id %d is out of range", token, id)
		}
		size = max(size, int(id)+1)
		return nil
	}
	for _, token := range sortedTokens(d.Model.Vocab) {
		if err := claim(token, d.Model.Vocab[token]); err != nil {
			return nil, fmt.Errorf("model: vocab: %w", err)
		}
	}
	for _, t := range d.AddedTokens {
		if err := claim(t.Content, t.ID); err != nil {
			return nil, fmt.Errorf("added_tokens: %w", err)
		}
	}
	tokens := make([]string, size)
	for _, token := range sortedTokens(d.Model.Vocab) {
		tokens[d.Model.Vocab[token]] = token
	}
	for _, t := range d.AddedTokens {
		tokens[t.ID] = t.Content
	}
	return tokens, nil
}

// sortedTokens puts a vocabulary in an order that does not depend on the map.
func sortedTokens(vocab map[string]int32) []string {
	tokens := make([]string, 0, len(vocab))
	for token := range vocab {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	return tokens
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func isTrue(p *bool, otherwise bool) bool { return deref(p, otherwise) }
