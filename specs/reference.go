package specs

// KindDoc describes a kind of node for readers. Everything in it comes from
// the schema.
type KindDoc struct {
	Name    string     `json:"name"`
	Doc     string     `json:"doc"`
	Family  string     `json:"family"` // file of the schema: files, table, detect, …
	Role    string     `json:"role"`   // source, sink, row, batch, aggregate or expand
	Inputs  []string   `json:"inputs,omitempty"`
	Outputs []string   `json:"outputs,omitempty"`
	Fields  []FieldDoc `json:"fields,omitempty"` // without ports, kind and doc
}

// FieldDoc describes a field. Name is dotted for fields inside fields
// ("lastde.s"); Default is JSON, "" for none.
type FieldDoc struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required,omitempty"`
	Doc      string `json:"doc"`
}

// Kinds lists every kind in the order of the schema's files and definitions.
func Kinds() []KindDoc {
	kinds := schema().kinds
	docs := make([]KindDoc, len(kinds))
	for i, k := range kinds {
		docs[i] = k.KindDoc
	}
	return docs
}

// document fills in what the fields say of ports and configuration.
func (k *kind) document() {
	for _, f := range k.fields {
		switch {
		case f.input():
			k.Inputs = append(k.Inputs, f.name)
		case f.typ.form == outputForm:
			k.Outputs = append(k.Outputs, f.name)
		default:
			k.Fields = appendDoc(k.Fields, "", f)
		}
	}
}

func appendDoc(docs []FieldDoc, prefix string, f *field) []FieldDoc {
	name := prefix + f.name
	docs = append(docs, FieldDoc{name, f.typ.String(), f.typ.fallback, f.required, f.doc})
	for _, inner := range f.typ.fields {
		docs = appendDoc(docs, name+".", inner)
	}
	return docs
}
