// Package report tells how a run went. A [Run] holds everything there is to
// tell and goes to JSON as it is; [HTML] makes it a page, [Text] the few lines
// that close a run on the terminal, [EvaluationTable] the figures of its
// evaluations.
//
// The page is one file that needs nothing else: no network, no font, no
// script (a small one adds sorting and highlighting). Its charts are drawn
// here, as SVG. Nothing a run carries, be it a text, a name or a message, can
// become markup, and the page's own policy forbids the browser to load or run
// anything that did not come from this package.
package report
