// Package embed holds the kind that makes vectors of texts and images, for search,
// clusters and near duplicates. The models are those of transforms/models.
package embed
