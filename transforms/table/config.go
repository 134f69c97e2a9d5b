package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// pair is an entry of a JSON object of strings.
type pair struct{ name, value string }

// pairs is a JSON object of strings that keeps the order in which it is written.
type pairs []pair

// UnmarshalJSON reads the object; a name that occurs twice is an error.
func (p *pairs) UnmarshalJSON(b []byte) error {
	var values map[string]string
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return err // a null
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if _, err := d.Token(); err != nil {
			return err
		}
		key := name.(string)
		value, once := values[key]
		if !once {
			return fmt.Errorf("%q occurs twice", key)
		}
		delete(values, key)
		*p = append(*p, pair{key, value})
	}
	return nil
}

// indices are the positions of the named columns; field is the configuration's
// field that names them. Naming none, or one twice, is an error.
func indices(s *data.Schema, field string, columns []string) ([]int, error) {
	if len(columns) == 0 {
		return nil, &transforms.FieldError{Field: field, Message: "names no column"}
	}
	at := make([]int, len(columns))
	seen := map[string]bool{}
	var errs []error
	for i, name := range columns {
		element := fmt.Sprintf("%s.%d", field, i)
		at[i] = s.Index(name)
		if err := transforms.NeedColumn(s, element, name); err != nil {
			errs = append(errs, err)
		}
		if seen[name] {
			errs = append(errs, &transforms.FieldError{Field: element, Message: fmt.Sprintf("column %q is named twice", name)})
		}
		seen[name] = true
	}
	return at, errors.Join(errs...)
}

// share checks that a fraction lies in 0 to 1.
func share(field string, x float64) error {
	if !(x >= 0 && x <= 1) {
		return &transforms.FieldError{Field: field, Message: fmt.Sprintf("%v is not a share between 0 and 1", x)}
	}
	return nil
}
