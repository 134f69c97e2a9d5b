package tokenizer

import "testing"

// double writes every x twice, drops every d, and puts ab before the text.
func double(text string, w *rewriter) {
	w.replace(0, "ab")
	eachRune(text, func(r rune, char string) {
		switch r {
		case 'x':
			w.replace(1, "xx")
		case 'd':
			w.replace(1, "")
		default:
			w.keep(char)
		}
	})
}

func TestOriginGoesBackThroughRewritings(t *testing.T) {
	once := fragment{text: "12xx3dd4"}.slice(1, 8).rewrite(double) // ab2xxxx34 from 2xx3dd4
	if once.text != "ab2xxxx34" {
		t.Fatalf("rewritten to %q", once.text)
	}
	for _, c := range []struct {
		from, to int
		want     Span
	}{
		{0, 2, Span{1, 1}}, // inserted
		{2, 3, Span{1, 2}},
		{3, 4, Span{2, 3}}, {4, 5, Span{2, 3}}, {5, 7, Span{3, 4}}, {3, 7, Span{2, 4}},
		{7, 8, Span{4, 5}}, // what is dropped behind stays outside
		{8, 9, Span{7, 8}},
		{7, 9, Span{4, 8}},
		{9, 9, Span{8, 8}},
	} {
		if got := once.origin(c.from, c.to); got != c.want {
			t.Errorf("once [%d, %d): %v, want %v", c.from, c.to, got, c.want)
		}
	}
	twice := once.slice(3, 9).rewrite(double) // abxxxxxxxx34 from xxxx34
	for _, c := range []struct {
		from, to int
		want     Span
	}{
		{2, 4, Span{2, 3}}, {4, 6, Span{2, 3}}, {6, 7, Span{3, 4}}, {10, 12, Span{4, 8}},
	} {
		if got := twice.origin(c.from, c.to); got != c.want {
			t.Errorf("twice [%d, %d): %v, want %v", c.from, c.to, got, c.want)
		}
	}
}
