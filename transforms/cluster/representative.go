package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/cluster/kmeans"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "SelectRepresentative",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Else, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := &SelectRepresentative{}
			return n, transforms.Decode(config, &n.config)
		},
	})
}

// SelectConfig configures the kind SelectRepresentative; see specs.#SelectRepresentative.
type SelectConfig struct {
	Column      string  `json:"column"`
	Cluster     string  `json:"cluster"`
	N           int     `json:"n"`
	Temperature float64 `json:"temperature"` // 0 or above
	Rounds      int     `json:"rounds"`
	Relevance   float64 `json:"relevance"` // 0 to 1
	Seed        int64   `json:"seed"`
	Compat      string  `json:"compat"` // "none" or "reference"
}

// SelectRepresentative picks rows that stand for their clusters, as DUQGen does
// (Chandradevan, Dhole and Agichtein 2024, section 3): quotas by size, pools drawn by a
// softmax of cosines with the centroid, maximal marginal relevance within the pool.
type SelectRepresentative struct {
	config SelectConfig
	shape  atomic.Pointer[selectShape]
}

type selectShape struct{ column, cluster int }

var _ transforms.Global = (*SelectRepresentative)(nil)

// Columns implements transforms.Node.
func (n *SelectRepresentative) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	column, err := needVectors(s, "column", n.config.Column)
	if err != nil {
		return nil, err
	}
	if err := transforms.NeedColumn(s, "cluster", n.config.Cluster, data.Int64); err != nil {
		return nil, err
	}
	n.shape.Store(&selectShape{column, s.Index(n.config.Cluster)})
	return transforms.Ports{{Name: transforms.Out, Schema: s}, {Name: transforms.Else, Schema: s}}, nil
}

// Run implements transforms.Global.
func (n *SelectRepresentative) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	p := n.shape.Load()
	clusters := map[string]int64{}
	ids := map[string]data.ID{}
	v, err := read(ctx, in, p.column, func(r *data.Record) error {
		if r.Values[p.cluster].IsNull() {
			return transforms.Reject("null", "column %s is null", n.config.Cluster)
		}
		clusters[r.ID.String()], ids[r.ID.String()] = r.Values[p.cluster].Int64(), r.ID
		return nil
	})
	if err != nil {
		return err
	}
	members := map[int64][]int{}
	for i, id := range v.ids {
		members[clusters[id]] = append(members[clusters[id]], i)
	}
	picked := make([]bool, v.n())
	for _, c := range n.share(members) {
		if err := ctx.Err(); err != nil {
			return err
		}
		pool := n.draw(v, c, func(i int) data.ID { return ids[v.ids[i]] })
		for _, i := range n.relevant(v, c, pool) {
			picked[i] = true
		}
	}
	for r, err := range in.Rows(transforms.In) {
		if err != nil {
			return err
		}
		i, ok := v.index[r.ID.String()]
		switch {
		case !ok:
		case picked[i]:
			emit(transforms.Out, r)
		default:
			emit(transforms.Else, r)
		}
	}
	return nil
}

// group is a cluster with what is to be picked from it.
type group struct {
	members  []int // of the vectors
	quota    int
	cosines  []float64 // of the members and the centroid
	centroid []float32
}

// share divides what is to be picked among the clusters, in the order of their numbers.
func (n *SelectRepresentative) share(members map[int64][]int) []*group {
	var groups []*group
	var sizes []int
	var numbers []int64
	for c := range members {
		numbers = append(numbers, c)
	}
	slices.Sort(numbers)
	for _, c := range numbers {
		groups = append(groups, &group{members: members[c]})
		sizes = append(sizes, len(members[c]))
	}
	divide := quotas
	if n.config.Compat == "reference" {
		divide = referenceQuotas
	}
	for i, quota := range divide(sizes, n.config.N) {
		groups[i].quota = quota
	}
	return groups
}

// draw draws the quota without replacement, once for each round, and returns the union.
// The probability of a row is the softmax of its cosine with the centroid. Adding
// Gumbel noise to logits and taking the largest draws so (Kool et al. 2019); the noise
// is the row's own.
func (n *SelectRepresentative) draw(v *vectors, g *group, id func(i int) data.ID) []int {
	sums := make([]float64, v.width)
	for _, i := range g.members {
		for j, x := range v.at(i) {
			sums[j] += float64(x)
		}
	}
	g.centroid = make([]float32, v.width)
	for j, sum := range sums {
		g.centroid[j] = float32(sum / float64(len(g.members)))
	}
	g.cosines = make([]float64, len(g.members))
	for m, i := range g.members {
		g.cosines[m] = cosine(v.at(i), g.centroid)
	}
	drawn := make([]bool, len(g.members))
	for round := range n.config.Rounds {
		logits := make([]float64, len(g.members))
		order := make([]int, len(g.members))
		for m, i := range g.members {
			order[m], logits[m] = m, g.cosines[m]
			if t := n.config.Temperature; t > 0 {
				logits[m] = g.cosines[m]/t + gumbel(id(i), n.config.Seed, round)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) })
		for _, m := range order[:g.quota] {
			drawn[m] = true
		}
	}
	var pool []int
	for m, i := range g.members {
		if drawn[m] {
			pool = append(pool, i)
		}
	}
	return pool
}

// gumbel draws from the standard Gumbel distribution.
func gumbel(id data.ID, seed int64, draw int) float64 {
	return -math.Log(-math.Log(1 - data.Draw(id, seed, draw).Float64()))
}

// relevant takes the quota from the pool by maximal marginal relevance to the member
// nearest to the centroid (Carbonell and Goldstein 1998).
func (n *SelectRepresentative) relevant(v *vectors, g *group, pool []int) []int {
	if len(pool) <= g.quota {
		return pool
	}
	seed := slices.MinFunc(g.members, func(a, b int) int {
		return cmp.Or(cmp.Compare(kmeans.SquaredDistance(v.at(a), g.centroid), kmeans.SquaredDistance(v.at(b), g.centroid)), cmp.Compare(a, b))
	})
	relevance, likeness := make([]float64, len(pool)), make([]float64, len(pool))
	for p, i := range pool {
		relevance[p] = cosine(v.at(i), v.at(seed))
	}
	var chosen []int
	taken := make([]bool, len(pool))
	for len(chosen) < g.quota {
		best, score := -1, 0.0
		for p := range pool {
			if s := n.config.Relevance*relevance[p] - (1-n.config.Relevance)*likeness[p]; !taken[p] && (best < 0 || s > score) {
				best, score = p, s
			}
		}
		taken[best] = true
		chosen = append(chosen, pool[best])
		for p, i := range pool {
			if like := cosine(v.at(i), v.at(pool[best])); len(chosen) == 1 || like > likeness[p] {
				likeness[p] = like
			}
		}
	}
	return chosen
}
