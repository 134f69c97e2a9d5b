package draw

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Graph is what a picture shows.
type Graph struct {
	Name  string `json:"name"`
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Node is a box. Names must be unique in a graph.
type Node struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"`
	Role  string   `json:"role"`            // one of the roles below; anything else is drawn as a row node
	Notes []string `json:"notes,omitempty"` // a few short lines, such as counters
	State string   `json:"state,omitempty"` // one of the states below, or empty
}

// Roles of a node, which give it its shape and colour.
const (
	Source  = "source"
	Row     = "row"
	Model   = "model"
	Combine = "combine"
	Global  = "global"
	Sink    = "sink"
)

// States of a node after a run.
const (
	OK     = "ok"
	Warn   = "warn"
	Failed = "failed"
)

// Edge is an arrow between the ports of two nodes.
type Edge struct {
	From     string   `json:"from"`
	FromPort string   `json:"fromPort"` // not shown if it is "out" or empty
	To       string   `json:"to"`
	ToPort   string   `json:"toPort"`            // not shown if it is "in" or empty
	Columns  []string `json:"columns,omitempty"` // all at this edge
	Added    []string `json:"added"`             // those that the node From added; nil: From is a source and all are its own
	Records  int64    `json:"records"`           // that passed; -1 if unknown
	Rejects  bool     `json:"rejects,omitempty"` // carries refused rows
}

// endpoints are the edges as pairs of indices into Nodes.
func (g Graph) endpoints() ([][2]int, error) {
	index := make(map[string]int, len(g.Nodes))
	for i, n := range g.Nodes {
		if _, taken := index[n.Name]; taken {
			return nil, fmt.Errorf("draw: two nodes are named %q", n.Name)
		}
		index[n.Name] = i
	}
	ends := make([][2]int, len(g.Edges))
	for i, e := range g.Edges {
		from, ok := index[e.From]
		if !ok {
			return nil, fmt.Errorf("draw: edge %d comes from %q, which is no node", i, e.From)
		}
		to, ok := index[e.To]
		if !ok {
			return nil, fmt.Errorf("draw: edge %d leads to %q, which is no node", i, e.To)
		}
		ends[i] = [2]int{from, to}
	}
	return ends, nil
}

// ports names the ports of an edge that are not the usual ones.
func (e Edge) ports() string {
	from, to := e.FromPort, e.ToPort
	if from == "out" {
		from = ""
	}
	if to == "in" {
		to = ""
	}
	if to != "" {
		return strings.TrimSpace(clean(from) + " → " + clean(to))
	}
	return clean(from)
}

// added are the columns worth a place beside the edge. Those of rejects are
// always the same, and left to the tooltip.
func (e Edge) added() []string {
	switch {
	case e.Rejects:
		return nil
	case e.Added == nil:
		return e.Columns
	}
	return e.Added
}

func (e Edge) records() string {
	switch e.Records {
	case -1:
		return ""
	case 1:
		return "1 row"
	}
	return thousands(e.Records) + " rows"
}

// describe is everything there is to say of an edge, for tooltips.
func (e Edge) describe() string {
	lines := []string{clean(e.From) + " → " + clean(e.To)}
	if p := e.ports(); p != "" {
		lines[0] += " (" + p + ")"
	}
	if len(e.Columns) > 0 {
		lines = append(lines, "columns: "+cleanJoin(e.Columns))
	}
	if len(e.Added) > 0 {
		lines = append(lines, "added: "+cleanJoin(e.Added))
	}
	if r := e.records(); r != "" {
		lines = append(lines, r)
	}
	return strings.Join(lines, "\n")
}

// describe is everything there is to say of a node, for tooltips.
func (n Node) describe() string {
	lines := []string{clean(n.Name) + ": " + clean(n.Kind)}
	if n.Role != "" {
		lines[0] += " (" + clean(n.Role) + ")"
	}
	for _, s := range n.Notes {
		lines = append(lines, clean(s))
	}
	if n.State != "" {
		lines = append(lines, "state: "+clean(n.State))
	}
	return strings.Join(lines, "\n")
}

func (n Node) role() string {
	if slices.Contains([]string{Source, Row, Model, Combine, Global, Sink}, n.Role) {
		return n.Role
	}
	return Row
}

// clean makes a string fit for one line of a picture: what would break the line
// or the XML, or turn the reading direction, is replaced.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == 0xFFFE, r == 0xFFFF:
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

func cleanJoin(names []string) string {
	out := make([]string, len(names))
	for i, s := range names {
		out[i] = clean(s)
	}
	return strings.Join(out, ", ")
}

// thousands writes n with a comma before every third digit.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 1
	if n < 0 {
		first = 2
	}
	for i := len(s) - 3; i >= first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
