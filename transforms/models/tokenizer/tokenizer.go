package tokenizer

import (
	"fmt"
	"strings"
)

// A Tokenizer turns text into ids and ids into text.
type Tokenizer struct {
	kind     string
	hash     string
	tokens   []string // by id; "" where there is none
	ids      map[string]int32
	special  map[int32]bool
	bos, eos int32 // none where there is none

	raw, normalized *addedSet // added tokens, by the text they are looked for in
	normalizers     []normalizer
	steps           []step
	model           model
	before, behind  []int32 // special tokens around a text
	decoders        []decoder
}

// An Option changes one call of Encode or EncodeOffsets.
type Option func(*options)

type options struct{ special, plain bool }

// WithSpecial puts the special tokens of the tokenizer's post-processor around
// the text, such as <s> or [CLS] and [SEP].
func WithSpecial() Option { return func(o *options) { o.special = true } }

// WithPlainText treats special tokens written in the text, such as <|im_end|>,
// as ordinary text. Use it for text that strangers wrote.
func WithPlainText() Option { return func(o *options) { o.plain = true } }

// Encode returns the ids of text. Special tokens written in the text count as
// such unless [WithPlainText] is given; none are added unless [WithSpecial] is.
func (t *Tokenizer) Encode(text string, opts ...Option) []int32 {
	return t.encode(text, false, opts).ids
}

// EncodeOffsets is Encode with the bytes of text that each token came from.
//
// For byte-level BPE the spans lie side by side and cover the text; a token may
// begin or end inside a character. Where text is normalized, a token's span is
// that of the characters its own came from: tokens of one character share its
// span, deleted characters belong to none, and inserted ones (the first blank,
// tokens of WithSpecial) have an empty span at their place.
func (t *Tokenizer) EncodeOffsets(text string, opts ...Option) ([]int32, []Span) {
	out := t.encode(text, true, opts)
	return out.ids, out.spans
}

func (t *Tokenizer) encode(text string, withSpans bool, opts []Option) *output {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	out := &output{withSpans: withSpans, ids: make([]int32, 0, len(text)/4+4)}
	if o.special {
		out.addAround(t.before, 0)
	}
	words := t.pipeline(out)
	t.raw.cut(fragment{text: text}, o.plain, out.addWhole, func(f fragment) {
		for _, n := range t.normalizers {
			f = f.rewrite(n)
		}
		t.normalized.cut(f, o.plain, out.addWhole, words)
	})
	if o.special {
		out.addAround(t.behind, len(text))
	}
	return out
}

// pipeline chains the pre-tokenizers and the model.
func (t *Tokenizer) pipeline(out *output) func(fragment) {
	next := func(f fragment) {
		out.word, out.at = f, 0
		t.model.encode(f.text, out)
	}
	for i := len(t.steps) - 1; i >= 0; i-- {
		step, rest := t.steps[i], next
		next = func(f fragment) { step(f, rest) }
	}
	return next
}

// Decode returns the text of ids, leaving out special tokens if skipSpecial is
// set. Ids outside the vocabulary stand for nothing. The result is valid UTF-8;
// bytes that are not come out as U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if token := t.Token(id); token != "" && !(skipSpecial && t.special[id]) {
			tokens = append(tokens, token)
		}
	}
	if len(t.decoders) == 0 {
		return strings.ToValidUTF8(strings.Join(tokens, " "), "\uFFFD")
	}
	for _, decode := range t.decoders {
		tokens = decode(tokens)
	}
	return strings.ToValidUTF8(strings.Join(tokens, ""), "\uFFFD")
}

// Size is one more than the greatest id, added tokens included: the rows an
// embedding needs.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// ID returns the id of a token as the vocabulary writes it.
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// Token returns the token of an id as the vocabulary writes it, "" for ids that
// have none.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// Special reports whether the id is one that Decode can skip.
func (t *Tokenizer) Special(id int32) bool { return t.special[id] }

// BOS returns the token that begins a text, if the tokenizer names one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos != none }

// EOS returns the token that ends a text, if the tokenizer names one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos != none }

// Hash is the SHA-256, in hexadecimal, of everything ids depend on. It does not
// depend on how the file is laid out.
func (t *Tokenizer) Hash() string { return t.hash }

// Kind is "byte-level BPE", "BPE" or "WordPiece".
func (t *Tokenizer) Kind() string { return t.kind }

// build makes the tokenizer a definition describes.
func build(d *definition) (*Tokenizer, error) {
	tokens, err := d.byID()
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{
		tokens: tokens, ids: make(map[string]int32, len(tokens)), special: map[int32]bool{},
		bos: d.bos, eos: d.eos, hash: d.hash(),
	}
	for id, token := range tokens {
		if token != "" {
			t.ids[token] = int32(id)
		}
	}
	for token, id := range d.Model.Vocab {
		t.ids[token] = id
	}
	for _, stage := range []func(*definition) error{
		t.buildModel, t.buildText, t.buildAdded, t.buildPost,
	} {
		if err := stage(d); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Tokenizer) buildModel(d *definition) error {
	bytes, err := usesBytes(d.PreTokenizer)
	if err != nil {
		return err
	}
	switch {
	case d.Model.Type == typeBPE:
		t.kind = typeBPE
		if bytes {
			t.kind = "byte-level BPE"
		}
		t.model, err = newBPE(&d.Model, bytes)
	case bytes:
		return fmt.Errorf("pre-tokenizer ByteLevel is supported with model BPE alone")
	default:
		t.kind = typeWordPiece
		t.model, err = newWordPiece(&d.Model)
	}
	return err
}

func (t *Tokenizer) buildText(d *definition) (err error) {
	if t.normalizers, err = buildNormalizers(d.Normalizer); err != nil {
		return err
	}
	t.steps, err = buildSteps(d.PreTokenizer)
	return err
}

func (t *Tokenizer) buildAdded(d *definition) error {
	raw, normalized := map[string]addedToken{}, map[string]addedToken{}
	for _, a := range d.AddedTokens {
		if a.Content == "" {
			continue
		}
		t.ids[a.Content] = a.ID
		if a.Special {
			t.special[a.ID] = true
		}
		if !a.Normalized {
			raw[a.Content] = a
			continue
		}
		f := fragment{text: a.Content}
		for _, n := range t.normalizers {
			f = f.rewrite(n)
		}
		if f.text != "" {
			normalized[f.text] = a
			t.tokens[a.ID] = f.text // what decoding gives back
		}
	}
	t.raw, t.normalized = newAddedSet(raw), newAddedSet(normalized)
	return nil
}

func (t *Tokenizer) buildPost(d *definition) (err error) {
	if t.before, t.behind, err = surroundings(d.PostProcessor); err != nil {
		return err
	}
	for _, id := range append(append([]int32{}, t.before...), t.behind...) {
		if t.Token(id) == "" {
			return fmt.Errorf("post_processor: there is no token with id %d", id)
		}
	}
	if t.Token(t.bos) == "" {
		t.bos = none
	}
	if t.Token(t.eos) == "" {
		t.eos = none
	}
	t.decoders, err = buildDecoders(d.Decoder)
	return err
}
