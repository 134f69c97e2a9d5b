// Package safetensors reads model weights in the safetensors format.
//
// A file is an 8-byte little-endian header length, a JSON header that maps each
// tensor's name to its dtype, shape and byte range, and the raw little-endian
// bytes. [New] reads the header only; [Tensor.Float32s] reads one tensor's
// section, so a model never has to be in memory twice. [OpenFS] opens what model
// hubs publish: model.safetensors, or the shards an index names.
//
// The header is not trusted: its size, the ranges, the shapes and the overlap of
// ranges are checked before anything of a declared size is allocated.
//
// Format: https://huggingface.co/docs/safetensors (section "Format").
package safetensors
