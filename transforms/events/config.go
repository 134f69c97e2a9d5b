package events

import (
	"regexp"
	"strings"

	"penstock.dev/data/nats"
	"penstock.dev/transforms"
)

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
