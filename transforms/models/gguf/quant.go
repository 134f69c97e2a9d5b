package gguf

import (
	"encoding/binary"
	"math"

	"github.com/gomlx/compute/dtypes/float16"
)

// format is a tensor type: blocks of a fixed number of values in a fixed number of
// bytes. decode gets exactly one block.
type format struct {
	name   string
	block  int // values
	size   int // bytes
	decode func(dst []float32, src []byte)
}

const knownTypes = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K"

// formats maps ggml's type numbers. Layouts as in ggml's ggml-common.h.
var formats = map[uint32]format{
	0:  {"F32", 1, 4, decodeF32},
	1:  {"F16", 1, 2, decodeF16},
	30: {"BF16", 1, 2, decodeBF16},
	2:  {"Q4_0", 32, 18, decodeQ40},
	3:  {"Q4_1", 32, 20, decodeQ41},
	8:  {"Q8_0", 32, 34, decodeQ80},
	12: {"Q4_K", 256, 144, decodeQ4K},
	14: {"Q6_K", 256, 210, decodeQ6K},
}

func half(src []byte) float32 {
	return float16.FromBits(binary.LittleEndian.Uint16(src)).Float32()
}

func decodeF32(dst []float32, src []byte) {
	dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(src))
}

func decodeF16(dst []float32, src []byte) { dst[0] = half(src) }

func decodeBF16(dst []float32, src []byte) {
	dst[0] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src)) << 16)
}

// decodeQ80: scale, 32 signed bytes.
func decodeQ80(dst []float32, src []byte) {
	scale := half(src)
	for i, q := range src[2:34] {
		dst[i] = float32(int8(q)) * scale
	}
}

// decodeQ40: scale, 16 bytes with values i and i+16 in the low and high half, offset 8.
func decodeQ40(dst []float32, src []byte) {
	scale := half(src)
	for i, q := range src[2:18] {
		dst[i] = float32(int(q&15)-8) * scale
		dst[i+16] = float32(int(q>>4)-8) * scale
	}
}

// decodeQ41: scale, minimum, 16 bytes laid out as in Q4_0 but unsigned.
func decodeQ41(dst []float32, src []byte) {
	scale, minimum := half(src), half(src[2:])
	for i, q := range src[4:20] {
		dst[i] = scale*float32(q&15) + minimum
		dst[i+16] = scale*float32(q>>4) + minimum
	}
}

// decodeQ4K: super-block of 8 blocks of 32 with 6-bit scales and minima, themselves
// scaled by two halves; each 32 bytes hold two blocks, low halves first.
func decodeQ4K(dst []float32, src []byte) {
	scale, minimum := half(src), half(src[2:])
	packed, quants := src[4:16], src[16:144]
	for b := range 8 {
		s, m := scaleMinimum(packed, b)
		d, offset := scale*float32(s), minimum*float32(m)
		shift := 4 * uint(b%2)
		for i, q := range quants[b/2*32 : b/2*32+32] {
			dst[b*32+i] = d*float32(q>>shift&15) - offset
		}
	}
}

// scaleMinimum unpacks the 6-bit scale and minimum of block b from 12 bytes: blocks
// 0-3 lie in the low six bits of bytes 0-3 and 4-7; blocks 4-7 have their low four
// bits in bytes 8-11 and their high two in the top bits of the first eight.
func scaleMinimum(packed []byte, b int) (scale, minimum byte) {
	if b < 4 {
		return packed[b] & 63, packed[b+4] & 63
	}
	scale = packed[b+4]&15 | packed[b-4]>>6<<4
	minimum = packed[b+4]>>4 | packed[b]>>6<<4
	return scale, minimum
}

// decodeQ6K: 128 bytes of low halves, 64 bytes of top bit pairs, 16 signed scales of
// 16 values each, one half; offset 32. Each 128 values use 64 low and 32 high bytes.
func decodeQ6K(dst []float32, src []byte) {
	low, high, scales := src[:128], src[128:192], src[192:208]
	d := half(src[208:])
	for n := range 256 {
		h, r := n/128, n%128 // half, value in it
		quarter, i := r/32, r%32
		q := low[h*64+quarter%2*32+i] >> (4 * uint(quarter/2)) & 15
		q |= high[h*32+i] >> (2 * uint(quarter)) & 3 << 4
		dst[n] = d * float32(int8(scales[n/16])) * float32(int(q)-32)
	}
}
