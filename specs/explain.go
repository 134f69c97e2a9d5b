package specs

// Explain is the text of a code: cause, example and cure.
func Explain(code string) (string, bool) { return "", false }

// Codes lists all codes, sorted.
func Codes() []string { return nil }
