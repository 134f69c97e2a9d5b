package tokenizer

import (
	"fmt"
	"unicode"
)

// A step is one pre-tokenizer: it hands the pieces of a fragment, which is not
// empty, to emit in order. It may rewrite them.
type step func(f fragment, emit func(fragment))

// buildSteps flattens a pre-tokenizer of tokenizer.json into steps, each applied
// to the pieces of the one before.
func buildSteps(c *component) ([]step, error) {
	if c == nil {
		return nil, nil
	}
	switch c.Type {
	case "Sequence":
		return buildAll(c.PreTokenizers, buildSteps)
	case "ByteLevel":
		return byteLevelSteps(c), nil
	case "BertPreTokenizer":
		return []step{
			split(each(unicode.IsSpace), removed, false),
			split(each(isPunctuation), isolated, false),
		}, nil
	case "Whitespace":
		return []step{split(words, removed, true)}, nil
	case "WhitespaceSplit":
		return []step{split(each(unicode.IsSpace), removed, false)}, nil
	case "Digits":
		if c.IndividualDigits {
			return []step{split(each(unicode.IsNumber), isolated, false)}, nil
		}
		return []step{split(each(unicode.IsNumber), contiguous, false)}, nil
	case "Metaspace":
		return metaspaceSteps(c)
	case "Punctuation":
		b, err := behaviorNamed(c.Behavior)
		return []step{split(each(isPunctuation), b, false)}, err
	case "CharDelimiterSplit":
		if c.Delimiter == "" {
			return nil, fmt.Errorf("pre-tokenizer CharDelimiterSplit has no delimiter")
		}
		return []step{split(literal(c.Delimiter), removed, false)}, nil
	case "Split":
		m, err := buildMatcher(c.Pattern)
		if err != nil {
			return nil, err
		}
		b, err := behaviorNamed(c.Behavior)
		return []step{split(m, b, c.Invert)}, err
	}
	return nil, fmt.Errorf("pre-tokenizer %q is not supported", c.Type)
}

// usesBytes reports whether the pre-tokenizer ends in ByteLevel, after which
// words are bytes in the alphabet of byteAlphabet. Nothing may follow it.
func usesBytes(c *component) (bool, error) {
	switch {
	case c == nil:
		return false, nil
	case c.Type == "ByteLevel":
		return true, nil
	}
	for i := range c.PreTokenizers {
		bytes, err := usesBytes(&c.PreTokenizers[i])
		if err != nil || bytes && i == len(c.PreTokenizers)-1 {
			return bytes, err
		}
		if bytes {
			return false, fmt.Errorf("pre-tokenizer ByteLevel must be the last of its sequence")
		}
	}
	return false, nil
}

func byteLevelSteps(c *component) []step {
	var steps []step
	if isTrue(c.AddPrefixSpace, true) {
		steps = append(steps, rewriting(prependUnless(" ")))
	}
	if isTrue(c.UseRegex, true) {
		steps = append(steps, split(everywhere(scanGPT2), isolated, false))
	}
	return steps
}

// metaspaceSteps marks word beginnings the SentencePiece way: blanks become the
// replacement character, one is put in front, and words are cut before each.
func metaspaceSteps(c *component) ([]step, error) {
	mark := c.Replacement
	if mark == "" {
		return nil, fmt.Errorf("pre-tokenizer Metaspace has no replacement")
	}
	steps := []step{rewriting(replaceAll(literal(" "), mark))}
	switch prependScheme(c) {
	case "always":
		steps = append(steps, rewriting(prependUnless(mark)))
	case "first":
		steps = append(steps, rewritingFirst(prependUnless(mark)))
	case "never":
	default:
		return nil, fmt.Errorf("pre-tokenizer Metaspace: prepend_scheme %q is not one of always, first, never", c.PrependScheme)
	}
	if isTrue(c.Split, true) {
		steps = append(steps, split(literal(mark), mergedWithNext, false))
	}
	return steps, nil
}

// prependScheme reads both spellings: older files have add_prefix_space alone.
func prependScheme(c *component) string {
	switch {
	case c.PrependScheme != "":
		return c.PrependScheme
	case isTrue(c.AddPrefixSpace, true):
		return "always"
	}
	return "never"
}

func rewriting(n normalizer) step {
	return func(f fragment, emit func(fragment)) { emit(f.rewrite(n)) }
}

// rewritingFirst rewrites only what stands at the beginning of the input.
func rewritingFirst(n normalizer) step {
	return func(f fragment, emit func(fragment)) {
		if f.origin(0, 0).Start == 0 {
			f = f.rewrite(n)
		}
		emit(f)
	}
}

// A behavior says what becomes of the matches of a split.
type behavior int

const (
	isolated behavior = iota
	removed
	contiguous
	mergedWithPrevious
	mergedWithNext
)

func behaviorNamed(name string) (behavior, error) {
	switch name {
	case "Isolated", "":
		return isolated, nil
	case "Removed":
		return removed, nil
	case "Contiguous":
		return contiguous, nil
	case "MergedWithPrevious":
		return mergedWithPrevious, nil
	case "MergedWithNext":
		return mergedWithNext, nil
	}
	return 0, fmt.Errorf("split behavior %q is not supported", name)
}

// joins says whether a stretch belongs to the same piece as the one before it.
func (b behavior) joins(previousMatch, match bool) bool {
	switch b {
	case contiguous:
		return match == previousMatch
	case mergedWithPrevious:
		return match && !previousMatch
	case mergedWithNext:
		return !match && previousMatch
	}
	return false
}

// split cuts fragments at the matches of a pattern, or with invert at the gaps
// between them.
func split(m matcher, b behavior, invert bool) step {
	return func(f fragment, emit func(fragment)) {
		from, to, previous := 0, 0, false // the piece not yet emitted
		for to < len(f.text) {
			end, match := m(f.text, to)
			match = match != invert
			if from < to && !b.joins(previous, match) {
				emit(f.slice(from, to))
				from = to
			}
			if b == removed && match {
				from = end
			}
			to, previous = end, match
		}
		if from < to {
			emit(f.slice(from, to))
		}
	}
}
