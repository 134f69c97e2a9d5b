package spectest

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestAlign(t *testing.T) {
	for _, tt := range []struct{ wants, haves, pairs string }{
		{"abc", "abc", ""},
		{"", "ab", "+a +b"},
		{"ab", "", "-a -b"},
		{"abc", "axc", "b/x"},
		{"abcd", "bcd", "-a"},
		{"abc", "abxyc", "+x +y"},
		{"abcd", "acd", "-b"},
		{"abcdef", "xbcdfy", "a/x -e +y"},
		{"aab", "ab", "-a"},
	} {
		if got := aligned(tt.wants, tt.haves); got != tt.pairs {
			t.Errorf("%q and %q: %s, want %s", tt.wants, tt.haves, got, tt.pairs)
		}
	}
}

func aligned(wants, haves string) string {
	text := ""
	for _, p := range align(len(wants), len(haves), func(i, j int) bool { return wants[i] == haves[j] }) {
		switch {
		case p.want < 0:
			text += fmt.Sprintf(" +%c", haves[p.have])
		case p.have < 0:
			text += fmt.Sprintf(" -%c", wants[p.want])
		default:
			text += fmt.Sprintf(" %c/%c", wants[p.want], haves[p.have])
		}
	}
	return text[min(1, len(text)):]
}

// Every row is in common or in a pair, once, in order; rows in common match; both for
// lists that are aligned and for those that are too long to be.
func TestAlignAccountsForEveryRow(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		wants, haves := make([]int, draw.IntN(12)), make([]int, draw.IntN(12))
		for _, list := range [][]int{wants, haves} {
			for i := range list {
				list[i] = draw.IntN(4)
			}
		}
		match := func(i, j int) bool { return wants[i] == haves[j] }
		for _, common := range [][]pair{commonRows(len(wants), len(haves), match), sameRows(len(wants), len(haves), match)} {
			last := pair{-1, -1}
			for _, p := range common {
				if p.want <= last.want || p.have <= last.have || !match(p.want, p.have) {
					t.Fatalf("%v and %v have in common %v", wants, haves, common)
				}
				last = p
			}
		}
		common := len(commonRows(len(wants), len(haves), match))
		missing, extra := 0, 0
		for _, p := range align(len(wants), len(haves), match) {
			if p.want >= 0 {
				missing++
			}
			if p.have >= 0 {
				extra++
			}
		}
		if missing != len(wants)-common || extra != len(haves)-common {
			t.Fatalf("%v and %v: %d in common, %d missing, %d extra", wants, haves, common, missing, extra)
		}
	}
}
