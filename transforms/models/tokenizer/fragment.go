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

// An edit says that count times in a row outLen bytes stand for inLen bytes of
// the input; either may be 0.
type edit struct{ outStart, outLen, inStart, inLen, count int }

func (e edit) outEnd() int { return e.outStart + e.count*e.outLen }
func (e edit) inEnd() int  { return e.inStart + e.count*e.inLen }

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
	e := r.edits[i]
	if out >= e.outEnd() {
		return e.inEnd() + out - e.outEnd()
	}
	return e.inStart + (out-e.outStart)/e.outLen*e.inLen
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
	e := r.edits[i]
	if to > e.outEnd() {
		return e.inEnd() + to - e.outEnd()
	}
	return e.inStart + ((to-1-e.outStart)/e.outLen+1)*e.inLen
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
	next := edit{outStart: len(w.out), outLen: len(s), inStart: w.in, inLen: n, count: 1}
	w.out = append(w.out, s...)
	w.in += n
	if last := len(w.edits) - 1; last >= 0 {
		if e := &w.edits[last]; e.outEnd() == next.outStart && e.inEnd() == next.inStart &&
			e.outLen == next.outLen && e.inLen == next.inLen {
			e.count++
			return
		}
	}
	w.edits = append(w.edits, next)
}
