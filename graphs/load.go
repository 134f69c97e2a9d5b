package graphs

import "penstock.dev/specs"

// Load reads a graph from a file or folder and plans it. All that is wrong with
// it is reported at once, as far as one mistake does not hide another.
func Load(path string, o specs.Options) (*Plan, specs.Diagnostics) {
	g, ds := specs.Load(path, o)
	if g == nil {
		return nil, ds
	}
	p, more := NewPlan(g)
	return p, append(ds, more...).Sorted()
}
