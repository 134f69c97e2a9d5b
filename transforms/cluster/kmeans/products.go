package kmeans

// panel is the number of centroids whose values lie side by side.
const panel = 16

// pack lays centroids [k, width] out in panels [k/panel, width, panel], the last filled
// up with zeros, for products.
func pack(centroids []float32, width int) []float32 {
	k := len(centroids) / width
	packed := make([]float32, (k+panel-1)/panel*panel*width)
	for c := range k {
		at := c/panel*panel*width + c%panel
		for j, v := range centroids[c*width : (c+1)*width] {
			packed[at+j*panel] = v
		}
	}
	return packed
}

// productsScalar is products one number at a time.
func productsScalar(out, x, packed []float32, width int) {
	columns := len(packed) / width
	for i := range len(x) / width {
		row := x[i*width : (i+1)*width]
		for first := 0; first < columns; first += panel {
			var sums [panel]float32
			for j, v := range row {
				for c, w := range packed[first*width+j*panel:][:panel] {
					sums[c] += v * w
				}
			}
			copy(out[i*columns+first:], sums[:])
		}
	}
}
