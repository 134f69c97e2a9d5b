package events

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"penstock.dev/data/nats"
	"penstock.dev/transforms"
)

// duration is a length of time as a graph writes it: "30s".
type duration struct{ time.Duration }

func (d *duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	d.Duration, err = time.ParseDuration(s)
	return err
}

// serverErrors are what is wrong with the fields of nats.
func serverErrors(s nats.Server) (errs []error) {
	for _, m := range s.Mistakes() {
		field, of := "nats", "nats"
		if m.Field != "" {
			field, of = "nats."+m.Field, m.Field
		}
		errs = append(errs, &transforms.FieldError{Field: field, Message: of + " " + m.Message, Hint: m.Hint})
	}
	return errs
}

// token is a token of a subject or a wildcard for one.
var token = regexp.MustCompile(`^(\*|[^\s.*>]+)$`)

// isFilter reports whether a text is a subject, with wildcards or without.
func isFilter(s string) bool {
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		if !token.MatchString(t) && !(t == ">" && i == len(tokens)-1) {
			return false
		}
	}
	return true
}
