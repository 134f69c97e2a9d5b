// Package synth holds the kinds that make data with language models: Generate, which
// completes prompts made of columns, and Bonito, which turns texts into tasks of
// instruction data. The models are behind servers (endpoint), recorded answers, or a
// stub; what they answer is kept (memo), so that nothing is paid for twice.
package synth
