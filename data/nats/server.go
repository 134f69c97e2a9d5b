package nats

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"penstock.dev/data"
)

// Embedded is the URL of the server inside the process.
const Embedded = "embedded"

// Server says how to reach a server. Credentials are references: their values are
// read when a connection is made and appear nowhere.
type Server struct {
	URL         string      `json:"url"`         // nats://host:port, several joined by commas, or [Embedded]
	Port        int         `json:"port"`        // of an embedded server on 127.0.0.1; 0 for a free one
	User        string      `json:"user"`        // with Password
	Password    data.Secret `json:"password"`    // of User
	Token       data.Secret `json:"token"`       // instead of user and password
	Credentials string      `json:"credentials"` // path of a .creds file: a JWT and its seed
	NKey        string      `json:"nkey"`        // path of a file with the seed of an NKey
	CA          string      `json:"ca"`          // path of the certificates to trust, beside the system's
	Certificate string      `json:"certificate"` // path of the client's certificate
	Key         string      `json:"key"`         // path of the certificate's key
}

// Mistake is what is wrong with a field of a Server.
type Mistake struct{ Field, Message, Hint string }

// schemes are those of a server's URL.
var schemes = []string{"nats", "tls", "ws", "wss"}

// Mistakes lists what is wrong with the fields, without looking at secrets, files
// or the network.
func (s Server) Mistakes() (all []Mistake) {
	wrong := func(field, message, hint string) { all = append(all, Mistake{field, message, hint}) }
	if s.URL != Embedded {
		for u := range strings.SplitSeq(s.URL, ",") {
			parsed, err := url.Parse(strings.TrimSpace(u))
			switch {
			case err != nil || !slices.Contains(schemes, parsed.Scheme) || parsed.Hostname() == "":
				wrong("url", "is no address of a server", `write "nats://host:4222", or "embedded"`)
			case parsed.User != nil:
				wrong("url", "holds credentials, which belong outside of the graph", `give user and password: {env: "…"}, or token: {env: "…"}`)
			}
		}
	}
	for _, secret := range []struct {
		field string
		data.Secret
	}{{"password", s.Password}, {"token", s.Token}} {
		if secret.Env != "" && secret.File != "" {
			wrong(secret.field, "has both env and file", "give one of them")
		}
	}
	ways := 0
	for _, given := range []bool{s.User != "" || !s.Password.IsZero(), !s.Token.IsZero(), s.Credentials != "", s.NKey != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 0 && s.URL == Embedded:
		wrong("url", "embedded needs no credentials: it listens on this machine alone", "drop them, or name a server")
	case ways > 1:
		wrong("", "several kinds of credentials", "give one of user and password, token, credentials, nkey")
	case (s.User != "") == s.Password.IsZero():
		wrong("user", "and password belong together", `password: {env: "…"} or {file: "…"}`)
	}
	if (s.Certificate != "") != (s.Key != "") {
		wrong("certificate", "and key belong together", "")
	}
	return all
}

// errNoJetStream is what a server without JetStream answers with.
var errNoJetStream = errors.New("has no JetStream (start it with -js, or enable it for the account)")
