// Package degrade holds the kinds that spoil texts and images on purpose, to learn what
// detectors are worth on what people really send:
//
//   - DegradeImage resizes, blurs, adds noise and compresses by JPEG, in this order;
//   - AttackText changes letters, words or spacing of a text as those do who hide where
//     it comes from (Dugan et al. 2024, arXiv:2405.07940, whose attacks and shares these
//     are but for the misspellings).
//
// Both take the place of the column they read, so that the same graph scores clean and
// spoilt rows; chain two nodes for other orders. What is random is keyed by the content
// and the seed: a row comes out the same in every run, batch and order.
package degrade
