package synth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/transforms"
)

// structure is the JSON that completions shall be.
type structure struct {
	schema  *jsonschema.Schema
	columns []data.Field // keys that become columns
	decoder *jsonl.Decoder
}

// newStructure compiles a JSON schema. Columns are keys of the object at its top.
func newStructure(text json.RawMessage, columns transforms.Columns) (*structure, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, &transforms.FieldError{Field: "schema", Message: err.Error()}
	}
	const name = "schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothingElse{})
	if err := compiler.AddResource(name, document); err != nil {
		return nil, &transforms.FieldError{Field: "schema", Message: oneLine(err)}
	}
	s := &structure{columns: columns}
	if s.schema, err = compiler.Compile(name); err != nil {
		return nil, &transforms.FieldError{Field: "schema", Message: oneLine(err)}
	}
	var top struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, &transforms.FieldError{Field: "schema", Message: err.Error()}
	}
	for _, c := range columns {
		if _, there := top.Properties[c.Name]; !there {
			return nil, &transforms.FieldError{Field: "columns." + c.Name, Message: "is no key of the schema's properties"}
		}
	}
	only, err := data.NewSchema(columns...)
	if err != nil {
		return nil, &transforms.FieldError{Field: "columns", Message: err.Error()}
	}
	s.decoder = jsonl.NewDecoder(only)
	s.decoder.DropUnknown = true
	return s, nil
}

// nothingElse refuses references to other documents.
type nothingElse struct{}

func (nothingElse) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema may not refer to other documents", url)
}

// read checks a completion and returns it without the space between its tokens, and
// the values of the columns. A fence of Markdown around it is passed over.
func (s *structure) read(completion string) (string, []data.Value, error) {
	text := unfenced(completion)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return "", nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if err := s.schema.Validate(value); err != nil {
		return "", nil, errors.New(oneLine(err))
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return "", nil, err
	}
	if len(s.columns) == 0 {
		return b.String(), nil, nil
	}
	values, err := s.decoder.Decode(b.Bytes())
	return b.String(), values, err
}

func unfenced(s string) string {
	s = strings.TrimSpace(s)
	if rest, fenced := strings.CutPrefix(s, "```"); fenced {
		_, rest, _ = strings.Cut(rest, "\n") // the language
		s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "```"))
	}
	return s
}

// repair is the prompt after a completion that does not follow the schema.
func (s *structure) repair(prompt, completion string, wrong error) string {
	return fmt.Sprintf("%s\n\n%s\n\nThis answer does not follow the schema: %v. Give the answer again, as JSON that follows the schema, and nothing else.\n", prompt, strings.TrimSpace(completion), wrong)
}

// oneLine says what is wrong, without the name of the document.
func oneLine(err error) string {
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		err = invalid.Err
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	var leaves []string
	var visit func(*jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			visit(c)
		}
		if len(e.Causes) == 0 {
			lines := strings.Split(e.Error(), "\n")
			leaves = append(leaves, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")))
		}
	}
	visit(v)
	slices.Sort(leaves)
	const most = 3
	return strings.Join(leaves[:min(most, len(leaves))], "; ")
}
