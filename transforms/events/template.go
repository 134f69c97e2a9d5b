package events

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock.dev/transforms"
)

// filter is a subject with a wildcard for each token that holds a column.
func filter(subject transforms.Template) string {
	const mark = "\x00"
	tokens := strings.Split(subject.Mask(mark), ".")
	for i, token := range tokens {
		if strings.Contains(token, mark) {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// checkToken refuses a value that cannot be a token of a subject, or a part of one.
func checkToken(column, value string) error {
	if value == "*" || !token.MatchString(value) || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return misfit(column, value, "the subject")
	}
	return nil
}

// checkHeader refuses a value that cannot be that of the header.
func checkHeader(name string) func(column, value string) error {
	return func(column, value string) error {
		if strings.ContainsAny(value, "\r\n") {
			return misfit(column, value, "header "+name)
		}
		return nil
	}
}

func misfit(column, value, what string) error {
	const most = 40
	shown := fmt.Sprintf("%q", value)
	if len(value) > most {
		shown = fmt.Sprintf("%q…", value[:most])
	}
	return transforms.Reject("subject", "column %q is %s, which cannot be a part of %s", column, shown, what)
}
