package degrade

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "AttackText",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newAttackText,
	})
}

// TextConfig configures the kind AttackText; see specs.#AttackText.
type TextConfig struct {
	Column string   `json:"column"`
	Attack string   `json:"attack"`
	Rate   *float64 `json:"rate"` // share of the places that are changed; nil for the attack's own
	As     string   `json:"as"`   // column that names the attack
	Seed   int64    `json:"seed"`
}

// Text attacks the text of every row: see [TextConfig].
type Text struct {
	config TextConfig
	attack attack
	rate   float64
	column int
	out    *data.Schema
}

var _ transforms.Row = (*Text)(nil)

// attack finds the places of a text that it could change and changes some of them.
type attack struct {
	rate float64 // unless another is asked for
	// places are runs of the text that may be changed, in order and apart.
	places func(text []rune) []span
	change func(place []rune, rng *rand.Rand) []rune
}

// span is the runes [from, to).
type span struct{ from, to int }

// attacks by name. The shares are those of RAID, but for misspellings, which it takes
// from a list of words.
var attacks = map[string]attack{
	"whitespace":  {0.2, spaces, func(p []rune, _ *rand.Rand) []rune { return append(p, ' ') }},
	"homoglyph":   {1, runes(func(r rune) bool { return homoglyphs[r] != 0 }), func(p []rune, _ *rand.Rand) []rune { return []rune{homoglyphs[p[0]]} }},
	"zero-width":  {1, between, func([]rune, *rand.Rand) []rune { return []rune{zeroWidthSpace} }},
	"case":        {0.05, words(1), swapCase},
	"misspelling": {0.2, words(4), misspell},
	"articles":    {0.5, articles, func([]rune, *rand.Rand) []rune { return nil }},
	"numbers":     {0.5, runes(func(r rune) bool { return r >= '0' && r <= '9' }), otherDigit},
	"paragraphs":  {0.5, sentenceEnds, func([]rune, *rand.Rand) []rune { return []rune("\n\n") }},
}

const zeroWidthSpace = '\u200b'

func newAttackText(config []byte) (transforms.Node, error) {
	n := &Text{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	var ok bool
	if n.attack, ok = attacks[n.config.Attack]; !ok {
		return nil, &transforms.FieldError{Field: "attack", Message: fmt.Sprintf("no attack %q", n.config.Attack)}
	}
	n.rate = n.attack.rate
	if n.config.Rate != nil {
		n.rate = *n.config.Rate
	}
	return n, nil
}

// Columns implements transforms.Node.
func (n *Text) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	if err := transforms.NeedColumn(schema, "column", n.config.Column, data.String); err != nil {
		return nil, err
	}
	n.column = schema.Index(n.config.Column)
	var err error
	n.out, err = transforms.AddColumns(schema, "as",
		data.Field{Name: n.config.As, Type: data.StringType}, data.Field{Name: n.config.As + "_edits", Type: data.Int64Type})
	return transforms.OutPort(n.out), err
}

// Process implements transforms.Row.
func (n *Text) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	v := r.Values[n.column]
	if v.IsNull() {
		return transforms.Reject("null", "column %s is null", n.config.Column)
	}
	text, edits := n.attack.apply(v.Text(), n.rate, data.Draw(data.KeyID(v.Text()), n.config.Seed, 0))
	out := r.Append(n.out, data.StringValue(n.config.Attack), data.Int64Value(int64(edits)))
	out.Values[n.column] = data.StringValue(text)
	emit(transforms.Out, out)
	return nil
}

// apply changes a share of the places, rounded to a whole number of them and drawn
// without replacement.
func (a attack) apply(text string, rate float64, rng *rand.Rand) (attacked string, edits int) {
	from := []rune(text)
	places := a.places(from)
	chosen := rng.Perm(len(places))[:int(math.Round(rate*float64(len(places))))]
	slices.Sort(chosen)
	out := make([]rune, 0, len(from)+len(chosen))
	at := 0
	for _, i := range chosen {
		p := places[i]
		out = append(out, from[at:p.from]...)
		out = append(out, a.change(slices.Clone(from[p.from:p.to]), rng)...)
		at = p.to
	}
	return string(append(out, from[at:]...)), len(chosen)
}

// runes are the single runes that satisfy a condition.
func runes(is func(rune) bool) func([]rune) []span {
	return func(text []rune) (places []span) {
		for i, r := range text {
			if is(r) {
				places = append(places, span{i, i + 1})
			}
		}
		return places
	}
}

// spaces are the runs of blanks between words.
func spaces(text []rune) (places []span) {
	return runs(text, func(r rune) bool { return r == ' ' })
}

// between are the gaps between two letters.
func between(text []rune) (places []span) {
	for i := 1; i < len(text); i++ {
		if unicode.IsLetter(text[i-1]) && unicode.IsLetter(text[i]) {
			places = append(places, span{i, i})
		}
	}
	return places
}

// words are the runs of at least n letters.
func words(n int) func([]rune) []span {
	return func(text []rune) []span {
		return slices.DeleteFunc(runs(text, unicode.IsLetter), func(s span) bool { return s.to-s.from < n })
	}
}

// runs are the longest spans of runes that satisfy a condition.
func runs(text []rune, is func(rune) bool) (places []span) {
	for i := 0; i < len(text); {
		if !is(text[i]) {
			i++
			continue
		}
		from := i
		for i < len(text) && is(text[i]) {
			i++
		}
		places = append(places, span{from, i})
	}
	return places
}

// articles are "a", "an" and "the" with the blank after them.
func articles(text []rune) (places []span) {
	for _, w := range words(1)(text) {
		switch strings.ToLower(string(text[w.from:w.to])) {
		case "a", "an", "the":
			if w.to < len(text) && text[w.to] == ' ' {
				places = append(places, span{w.from, w.to + 1})
			}
		}
	}
	return places
}

// sentenceEnds are the blanks after a full stop, question or exclamation mark.
func sentenceEnds(text []rune) []span {
	return slices.DeleteFunc(spaces(text), func(s span) bool {
		return s.from == 0 || !strings.ContainsRune(".?!", text[s.from-1])
	})
}

// swapCase turns the case of a word's first letter round.
func swapCase(word []rune, _ *rand.Rand) []rune {
	if unicode.IsUpper(word[0]) {
		word[0] = unicode.ToLower(word[0])
	} else {
		word[0] = unicode.ToUpper(word[0])
	}
	return word
}

// misspell makes the slip of a hurried hand inside a word of four letters or more: two
// letters change places, one is left out, or one is doubled.
func misspell(word []rune, rng *rand.Rand) []rune {
	i := 1 + rng.IntN(len(word)-2) // neither the first nor the last letter
	switch rng.IntN(3) {
	case 0:
		j := i + 1
		if j == len(word)-1 {
			j = i - 1
		}
		if j > 0 && word[i] != word[j] {
			word[i], word[j] = word[j], word[i]
			return word
		}
		fallthrough
	case 1:
		return slices.Delete(word, i, i+1)
	}
	return slices.Insert(word, i, word[i])
}

func otherDigit(digit []rune, rng *rand.Rand) []rune {
	return []rune{'0' + (digit[0]-'0'+1+rng.Int32N(9))%10}
}
