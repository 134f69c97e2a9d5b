package data

import (
	"fmt"
	"os"
	"strings"
)

// Secret refers to a secret in an environment variable or a file. The value stands
// in no configuration: it is read when a connection is made and appears nowhere.
type Secret struct {
	Env  string `json:"env"`
	File string `json:"file"`
}

// IsZero reports whether the secret refers to nothing.
func (s Secret) IsZero() bool { return s == Secret{} }

// Read is the value of the secret, without the end of the file's last line.
func (s Secret) Read() (string, error) {
	if s.Env != "" {
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", s.Env)
		}
		return value, nil
	}
	b, err := os.ReadFile(s.File)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
