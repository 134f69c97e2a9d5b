package retrieval

import (
	"context"
	"regexp"
	"strings"
	"unicode"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "CleanQuery",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := &CleanQuery{}
			if err := transforms.Decode(config, &n.config); err != nil {
				return nil, err
			}
			return n, nil
		},
	})
}

// CleanQueryConfig configures the kind CleanQuery; see specs.#CleanQuery.
type CleanQueryConfig struct {
	Column string `json:"column"`
	As     string `json:"as"`
	Compat string `json:"compat"` // "none" or "reference"
}

// CleanQuery takes queries out of completions.
type CleanQuery struct {
	config CleanQueryConfig
	column int
	out    *data.Schema
}

var _ transforms.Row = (*CleanQuery)(nil)

// Columns implements transforms.Node.
func (n *CleanQuery) Columns(in transforms.Ports) (transforms.Ports, error) {
	s := in.Get(transforms.In)
	if err := transforms.NeedColumn(s, "column", n.config.Column, data.String); err != nil {
		return nil, err
	}
	n.column = s.Index(n.config.Column)
	var err error
	n.out, err = transforms.AddColumns(s, "as", data.Field{Name: n.config.As, Type: data.StringType})
	return transforms.OutPort(n.out), err
}

// Process implements transforms.Row.
func (n *CleanQuery) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	v := r.Values[n.column]
	if err := textMistake(v, n.config.Column); err != nil {
		return err
	}
	clean := Clean
	if n.config.Compat == "reference" {
		clean = CleanAsPublished
	}
	query, err := clean(v.Text())
	if err != nil {
		return err
	}
	emit(transforms.Out, r.Append(n.out, data.StringValue(query)))
	return nil
}

// chatter are phrases with which models begin to talk about the task (DUQGen,
// emory-irlab/DUQGen, Apache-2.0).
var chatter = []string{
	"In each of these examples", "In each example,", "Explanation:", "Example 1:", "Example 2:", "In this example", "Note:",
	"In the above examples", "Note that in each example", "In the first three examples", "In the first example",
	"Answer:", "By analyzing the provided documents", "Note that the examples", "In both examples", "In each case",
	"Note that the relevant queries", "In each of the examples",
}

var nextExample = regexp.MustCompile(`Example [0-9]+:`)

// Clean is the query at the head of a completion: its first line that is not empty, up
// to the first question mark, before anything that models say about the task; white
// space within is a space. The error rejects a completion without a letter or digit
// there, or with characters that were broken.
func Clean(completion string) (string, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(completion), "\n")
	if at := strings.IndexByte(line, '?'); at >= 0 {
		line = line[:at+1]
	}
	if at := nextExample.FindStringIndex(line); at != nil {
		line = line[:at[0]]
	}
	query := strings.Join(strings.Fields(before(line, chatter...)), " ")
	switch {
	case !strings.ContainsFunc(query, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }):
		return "", transforms.Reject("empty", "the completion holds no query")
	case strings.ContainsRune(query, unicode.ReplacementChar):
		return "", transforms.Reject("broken", "the query holds characters that were broken")
	}
	return query, nil
}

// CleanAsPublished is the query as the code of DUQGen (emory-irlab/DUQGen@2763220)
// cuts it: as Clean, but the question mark is lost, white space within is kept, and
// what is not ASCII is rejected.
func CleanAsPublished(completion string) (string, error) {
	query := data.PythonStrip(before(firstQuestion(completion), chatter...))
	switch {
	case query == "":
		return "", transforms.Reject("empty", "the completion holds no query")
	case strings.ContainsFunc(query, func(r rune) bool { return r > unicode.MaxASCII }):
		return "", transforms.Reject("non-ascii", "the query is not ASCII")
	}
	return query, nil
}

// firstQuestion is what DUQGen keeps of a completion when it is generated.
func firstQuestion(completion string) string {
	text := completion
	for _, end := range []string{
		"Example 5:", "In each of these examples, the AI model is trained on a large corpus of text data,", "Answer:", "\n", "?",
	} {
		text = data.PythonStrip(before(text, end))
	}
	return text
}

// before is a text up to the first of some phrases.
func before(text string, phrases ...string) string {
	for _, phrase := range phrases {
		text, _, _ = strings.Cut(text, phrase)
	}
	return text
}
