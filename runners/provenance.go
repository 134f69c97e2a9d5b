package runners

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"penstock.dev/graphs"
	"penstock.dev/transforms"
)

// Keys of the metadata that every output carries.
const (
	keyVersion    = "penstock.version"
	keyGraph      = "penstock.graph"        // the name
	keySource     = "penstock.graph.source" // the text
	keyHash       = "penstock.graph.sha256" // of the evaluated graph
	keyParameters = "penstock.parameters"   // set with -t, as JSON
	keyModels     = "penstock.models"       // as JSON: ref, hash and backend
)

// provenance is what an output says of how it was made. It holds no time and no
// machine, so that a run that is repeated gives the same file.
func provenance(plan *graphs.Plan, o Options) map[string]string {
	p := map[string]string{
		keyVersion: o.Version,
		keyGraph:   plan.Graph.Name,
		keySource:  string(plan.Graph.Source),
		keyHash:    GraphHash(plan),
	}
	if len(o.Parameters) > 0 {
		b, err := json.Marshal(o.Parameters)
		if err == nil {
			p[keyParameters] = string(b)
		}
	}
	return p
}

// GraphHash identifies what a graph computes: its nodes with their
// configuration and edges, defaults filled in, whatever the spelling.
func GraphHash(plan *graphs.Plan) string {
	type node struct {
		Name, Kind string
		Config     json.RawMessage
		Inputs     []graphs.PortRef
	}
	var nodes []node
	for _, n := range plan.Nodes {
		m := node{Name: n.Name, Kind: n.Kind.Name, Config: n.Config}
		for _, in := range n.Inputs {
			m.Inputs = append(m.Inputs, in.From)
		}
		nodes = append(nodes, m)
	}
	slices.SortFunc(nodes, func(a, b node) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	b, err := json.Marshal(struct {
		Run   any
		Nodes []node
	}{plan.Graph.Run, nodes})
	if err != nil {
		panic(err) // configurations are valid JSON since the graph was loaded
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// models lists what the opened nodes of a plan use.
func models(plan *graphs.Plan) []transforms.ModelUse {
	var all []transforms.ModelUse
	for _, n := range plan.Nodes {
		if m, ok := n.Impl.(transforms.Modelled); ok {
			for _, use := range m.Models() {
				if !slices.Contains(all, use) {
					all = append(all, use)
				}
			}
		}
	}
	return all
}

func addModels(p map[string]string, plan *graphs.Plan) {
	type model struct{ Ref, Hash, Backend string }
	var all []model
	for _, m := range models(plan) {
		all = append(all, model{m.Ref, m.Hash, m.Backend})
	}
	if b, err := json.Marshal(all); err == nil && len(all) > 0 {
		p[keyModels] = string(b)
	}
}
