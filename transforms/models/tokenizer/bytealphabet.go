package tokenizer

// byteAlphabet is GPT-2's way of writing arbitrary bytes as visible characters
// (Radford et al. 2019): printable Latin-1 stands for itself, the other 68 bytes
// for U+0100 onwards. Vocabularies of byte-level BPE are written in it.
var byteAlphabet = func() (alphabet [256]rune) {
	next := rune(0x100)
	for b := range alphabet {
		if b > ' ' && b < 0x7F || b > 0xA0 && b != 0xAD {
			alphabet[b] = rune(b)
		} else {
			alphabet[b] = next
			next++
		}
	}
	return alphabet
}()

// alphabetByte is the inverse of byteAlphabet; -1 where there is no byte.
var alphabetByte = func() (inverse [0x144]int16) {
	for r := range inverse {
		inverse[r] = -1
	}
	for b, r := range byteAlphabet {
		inverse[r] = int16(b)
	}
	return inverse
}()

// appendBytes appends the bytes that token stands for. Tokens with a character
// outside the alphabet, as added tokens may have, stand for themselves.
func appendBytes(out []byte, token string) []byte {
	begin := len(out)
	for _, r := range token {
		if int(r) >= len(alphabetByte) || alphabetByte[r] < 0 {
			return append(out[:begin], token...)
		}
		out = append(out, byte(alphabetByte[r]))
	}
	return out
}
