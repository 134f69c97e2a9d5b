// Package draw makes pictures of graphs: DOT for Graphviz, Mermaid for pages
// that render it, and SVG, laid out here so that no other program is needed.
//
// Fill a [Graph] and hand it to [DOT], [Mermaid] or [SVG]. All three show the
// same things: nodes by role, ports that are not the usual ones, the columns
// each edge's source added, and counters where the graph has been run. The same
// graph always gives the same bytes, and no name can break out of its place.
//
// The SVG is layered (Sugiyama, Tagawa and Toda 1981): longest-path layers,
// dummies where an edge crosses a layer, barycentre sweeps against crossings.
// An edge's label is a dummy with a size, in a layer of its own, which is what
// keeps labels from lying on nodes or on each other.
package draw
