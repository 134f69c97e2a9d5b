// Package retrieval holds the kinds that search collections of texts and make what
// rankers are trained on: Retrieve finds documents, EvaluateRetrieval measures what was
// found, MineNegatives chooses documents that do not answer a query, CleanQuery mends
// queries that a language model wrote. Files are those of BEIR (Thakur et al. 2021).
package retrieval
