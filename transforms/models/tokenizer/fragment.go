package tokenizer

import "sort"

// A Span is the byte range [Start, End) of the original text.
type Span struct{ Start, End int }

// A fragment is a stretch of text on its way through the pipeline, together
// with the way back to the bytes it came from.
type fragment struct {
	text  string
	at    int      // where text begins in the output of below
	below *rewrite // the last rewriting, nil for original text
}

// A rewrite records how one stage changed a text: edits in ascending order,
// everything between them kept byte for byte.
type rewrite struct {
	edits []edit
	at    int // where the rewritten text began in the output of below
	below *rewrite
}

// An edit says that output bytes [outStart, outEnd) stand for input bytes
// [inStart, inEnd). Either range may be empty.
type edit struct{ outStart, outEnd, inStart, inEnd int }

func (f fragment) slice(from, to int) fragment {
	return fragment{text: f.text[from:to], at: f.at + from, below: f.below}
}

// rewrite runs a normalizer over the fragment.
func (f fragment) rewrite(n normalizer) fragment {
	w := rewriter{out: make([]byte, 0, len(f.text)+len(f.text)/8)}
	n(f.text, &w)
	return fragment{text: string(w.out), below: &rewrite{edits: w.edits, at: f.at, below: f.below}}
}

// origin maps the range [from, to) of the fragment to the original text.
func (f fragment) origin(from, to int) Span {
	from, to = from+f.at, to+f.at
	for r := f.below; r != nil; r = r.below {
		from, to = r.start(from)+r.at, r.end(from, to)+r.at
	}
	return Span{from, to}
}

// start maps the beginning of an output range to the input.
func (r *rewrite) start(out int) int {
	i := sort.Search(len(r.edits), func(i int) bool { return r.edits[i].outStart > out }) - 1
	if i < 0 {
		return out
	}
	if e := r.edits[i]; out >= e.outEnd {
		return e.inEnd + out - e.outEnd
	}
	return r.edits[i].inStart
}

// end maps the end of the output range [from, to) to the input. Bytes deleted
// right behind the range stay outside it.
func (r *rewrite) end(from, to int) int {
	if from == to {
		return r.start(from)
	}
	i := sort.Search(len(r.edits), func(i int) bool { return r.edits[i].outStart >= to }) - 1
	if i < 0 {
		return to
	}
	if e := r.edits[i]; to > e.outEnd {
		return e.inEnd + to - e.outEnd
	}
	return r.edits[i].inEnd
}

// A rewriter collects the output of a normalizer and how it relates to the
// input. The normalizer must account for every input byte, in order.
type rewriter struct {
	out   []byte
	in    int
	edits []edit
}

// keep emits s in place of as many input bytes, one for one.
func (w *rewriter) keep(s string) {
	w.out = append(w.out, s...)
	w.in += len(s)
}

// replace emits s in place of the next n input bytes; n = 0 inserts and an
// empty s deletes.
func (w *rewriter) replace(n int, s string) {
	w.edits = append(w.edits, edit{len(w.out), len(w.out) + len(s), w.in, w.in + n})
	w.out = append(w.out, s...)
	w.in += n
}
