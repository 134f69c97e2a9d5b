// Package models runs the models that transforms score, embed or write with.
//
// [Open] takes a reference: a folder as model hubs publish it (config.json,
// tokenizer.json, *.safetensors), a .gguf file, or a name, "pocket" (built in) or
// "smollm2" (from the cache). A model is loaded once a process however often it is
// opened, and released by the last Close.
//
// A model gives logits in two ways. [LM.Score] is for one sequence among many callers:
// sequences that wait at the same time run together, under a budget of tokens.
// [LM.Forward] runs a batch the caller has put together. Both hand over the logits of
// one position at a time, so the [positions, vocabulary] matrix never exists as a
// whole; [Position] turns such a row into log-probability, rank, entropy and second
// moment.
//
// [OpenEncoder] opens a text encoder (BERT, RoBERTa) for a vector a text, and
// [OpenVision] a vision transformer (DINOv2, ViT) for one an image; both wait for a
// batcher of their own as LM.Score does. [Check] and [CheckVision] look at a model's
// files without loading it.
//
// Pure Go computes models, or XLA through a PJRT plugin in builds with the tag xla; see
// [Choose] and README.md. Results do not depend on batches, on their order or on the
// number of cores; on XLA, to 1e-4 in a log-probability.
// Architectures are plain functions that build a graph (llama.go, gpt2.go); the
// weights they need are listed in layout.go, those of encoders in
// bert.go and vit.go.
package models
