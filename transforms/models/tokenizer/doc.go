// Package tokenizer turns text into the token ids a language model was trained
// on, and ids back into text, in pure Go.
//
// A [Tokenizer] comes from one of three places:
//
//   - [Load] and [Parse] read tokenizer.json as published on model hubs:
//     byte-level BPE (GPT-2, Llama-3, Qwen2, SmolLM2), BPE with byte fallback
//     (Llama-2, Mistral) and WordPiece (BERT and its descendants);
//   - [FromGGUF] reads the tokenizer.ggml keys of a GGUF file;
//   - [FromLlama2C] reads the small binary vocabulary of llama2.c models.
//
// All three end in the same pipeline, whose stages are the files of this
// package: added tokens are cut out (added.go), the rest is normalized
// (normalize.go, bert.go), split into words (pretokenize.go, scan.go,
// pattern.go), each word becomes ids (bpe.go, wordpiece.go), and special tokens
// are put around the result when asked for (postprocess.go). Decoding
// (decode.go) is a chain of its own. Every stage keeps the way back to the
// bytes of the input (fragment.go), which is what [Tokenizer.EncodeOffsets]
// reports.
//
// Truncation and padding settings of tokenizer.json are not applied: windows
// and batches are the caller's business.
//
// Input need not be valid UTF-8. Byte-level BPE and byte fallback encode the
// bytes as they are, so nothing is lost in the ids; WordPiece drops invalid
// bytes with the other control characters. Decoded text is always valid UTF-8,
// with U+FFFD in place of what is not.
//
// A Tokenizer is safe for concurrent use. It keeps a bounded cache of words and
// no other state.
package tokenizer
