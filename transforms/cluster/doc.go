// Package cluster holds the kinds that work on rows by the nearness of their vectors:
// Cluster divides them by k-means, SelectRepresentative picks those that stand for the
// rest. The algorithm itself is package kmeans, a library of its own.
//
// Both hold the vectors in memory and work in the order of the rows' ids, so that the
// order of the input does not matter. A vector is a list of numbers, as Embed makes it.
package cluster
