// Package gguf reads model weights and metadata in the GGUF format, versions 2 and 3.
//
// [New] reads the directory: every metadata value as a Go value (typed slices for
// arrays) and every tensor's type, shape and place. [Tensor.Float32s] reads one
// tensor's section and dequantises it; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K and
// Q6_K are known.
//
// The directory is not trusted: counts, lengths, nesting, ranges and shapes are
// checked against the file's size before anything is allocated.
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
package gguf
