package spectest

// pair is a row that is expected and one that came, by number; -1 stands for none.
type pair struct{ want, have int }

// maxCells bounds the table of an alignment; longer lists are compared row by row.
const maxCells = 1_000_000

// align pairs the rows of two lists that are not in common, in order: rows between two
// that are belong together as far as there are any.
func align(wants, haves int, match func(i, j int) bool) []pair {
	common := sameRows
	if wants*haves <= maxCells {
		common = commonRows
	}
	var pairs []pair
	i, j := 0, 0
	for _, next := range append(common(wants, haves, match), pair{wants, haves}) {
		for i < next.want || j < next.have {
			p := pair{-1, -1}
			if i < next.want {
				p.want, i = i, i+1
			}
			if j < next.have {
				p.have, j = j, j+1
			}
			pairs = append(pairs, p)
		}
		i, j = next.want+1, next.have+1
	}
	return pairs
}

// sameRows lists the rows that match those of the same number.
func sameRows(wants, haves int, match func(i, j int) bool) []pair {
	var common []pair
	for i := range min(wants, haves) {
		if match(i, i) {
			common = append(common, pair{i, i})
		}
	}
	return common
}

// commonRows is a longest common subsequence.
func commonRows(wants, haves int, match func(i, j int) bool) []pair {
	length := make([][]int32, wants+1) // of the subsequence from here on
	for i := range length {
		length[i] = make([]int32, haves+1)
	}
	for i := wants - 1; i >= 0; i-- {
		for j := haves - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if match(i, j) {
				length[i][j] = max(length[i][j], length[i+1][j+1]+1)
			}
		}
	}
	var common []pair
	for i, j := 0, 0; i < wants && j < haves; {
		switch {
		case length[i][j] == length[i+1][j]:
			i++
		case length[i][j] == length[i][j+1]:
			j++
		default:
			common = append(common, pair{i, j})
			i, j = i+1, j+1
		}
	}
	return common
}
