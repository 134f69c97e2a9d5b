package data

import "strings"

// Nearest is the column whose name is closest to a misspelt one, for "did you
// mean" hints; false when none is close.
func (s *Schema) Nearest(name string) (string, bool) {
	best, nearest := len(name)/3+1, ""
	for _, f := range s.fields {
		if strings.EqualFold(f.Name, name) {
			return f.Name, true
		}
		if d := editDistance(name, f.Name); d <= best && (nearest == "" || d < best) {
			best, nearest = d, f.Name
		}
	}
	return nearest, nearest != ""
}

// editDistance is the least number of bytes to insert, delete, replace or swap
// with their neighbour that makes a into b (optimal string alignment).
func editDistance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := prev[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(prev[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
