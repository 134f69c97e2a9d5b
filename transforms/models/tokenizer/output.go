package tokenizer

// An output collects the ids of one text and, if wanted, where they came from.
type output struct {
	ids       []int32
	spans     []Span
	withSpans bool

	word fragment // the word being encoded
	at   int      // how far into it the model has come
}

// add appends the token of bytes [from, to) of the word, counted from at.
func (o *output) add(id int32, from, to int) {
	o.ids = append(o.ids, id)
	if o.withSpans {
		o.spans = append(o.spans, o.word.origin(o.at+from, o.at+to))
	}
}

// addAll appends tokens that lie side by side, given their ends.
func (o *output) addAll(ids, ends []int32) {
	o.ids = append(o.ids, ids...)
	if !o.withSpans {
		return
	}
	from := 0
	for _, end := range ends {
		o.spans = append(o.spans, o.word.origin(o.at+from, o.at+int(end)))
		from = int(end)
	}
}

// mark and rewind take back tokens.
func (o *output) mark() int { return len(o.ids) }

func (o *output) rewind(mark int) {
	o.ids = o.ids[:mark]
	if o.withSpans {
		o.spans = o.spans[:mark]
	}
}

// addWhole appends a token that stands for a whole fragment.
func (o *output) addWhole(f fragment, id int32) {
	o.word, o.at = f, 0
	o.add(id, 0, len(f.text))
}

// addAround appends special tokens at a place of the text.
func (o *output) addAround(ids []int32, at int) {
	o.ids = append(o.ids, ids...)
	if o.withSpans {
		for range ids {
			o.spans = append(o.spans, Span{at, at})
		}
	}
}
