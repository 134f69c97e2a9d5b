package specs

import (
	"bytes"
	"encoding/json"
)

// JSON writes the graph as data, defaults filled in and fields in the order of the
// schema: the same text for the same graph, however it is written, and one that [Load]
// makes the same graph of. Inputs are written "node.port".
func (g *Graph) JSON() ([]byte, error) {
	var nodes object
	for i := range g.Nodes {
		nodes.add(g.Nodes[i].Name, g.Nodes[i].evaluated())
	}
	var all object
	all.add("apiVersion", g.APIVersion)
	all.add("name", g.Name)
	if g.Doc != "" {
		all.add("doc", g.Doc)
	}
	all.add("mode", g.Mode)
	all.add("run", g.Run)
	if len(g.Silence) > 0 {
		all.add("silence", g.Silence)
	}
	all.add("nodes", &nodes)
	text, err := all.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, text, "", "  ")
	return append(indented.Bytes(), '\n'), err
}

// evaluated is the node as data.
func (n *Node) evaluated() *object {
	var o object
	o.add("kind", n.Kind)
	if n.Doc != "" {
		o.add("doc", n.Doc)
	}
	lists := map[string][]string{}
	for _, in := range n.Inputs {
		lists[in.Port] = append(lists[in.Port], in.From.String())
	}
	var fields []*field // none of a kind that the schema does not have
	if k := schema().byName[n.Kind]; k != nil {
		fields = k.fields
	}
	for _, f := range fields {
		switch from := lists[f.name]; {
		case len(from) == 0:
		case f.typ.form == listForm:
			o.add(f.name, from)
		default:
			o.add(f.name, from[0])
		}
	}
	if config := bytes.TrimSpace(n.Config); len(config) > len("{}") && config[0] == '{' { // a node without any has null
		o.raw(config[1 : len(config)-1])
	}
	return &o
}

// object is a JSON object whose keys keep their order.
type object struct {
	text bytes.Buffer
	err  error
}

// add adds a key with a value.
func (o *object) add(key string, value any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil && o.err == nil {
		o.err = err
	}
	o.raw(append(append(quoteJSON(key), ':'), b.Bytes()...))
}

// raw adds keys with their values.
func (o *object) raw(members []byte) {
	if o.text.Len() > 0 {
		o.text.WriteByte(',')
	}
	o.text.Write(members)
}

// MarshalJSON implements json.Marshaler.
func (o *object) MarshalJSON() ([]byte, error) {
	return append(append([]byte{'{'}, o.text.Bytes()...), '}'), o.err
}
