// Package synth holds the kinds that make data with language models: Generate, which
// completes prompts made of columns, Bonito, which turns texts into tasks of
// instruction data, and BonitoMeta, which makes rows to train a model for Bonito on.
// The models are behind servers (endpoint), recorded answers, or a stub; what they
// answer is kept (memo), so that nothing is paid for twice.
package synth
