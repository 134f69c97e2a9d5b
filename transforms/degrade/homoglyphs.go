package degrade

// homoglyphs are letters of other scripts that look like Latin ones (Unicode Technical
// Standard 39, confusables): Cyrillic, and Greek where Cyrillic has none.
var homoglyphs = map[rune]rune{
	'a': '\u0430', 'c': '\u0441', 'e': '\u0435', 'i': '\u0456', 'j': '\u0458', 'o': '\u043e',
	'p': '\u0440', 's': '\u0455', 'x': '\u0445', 'y': '\u0443',
	'A': '\u0410', 'B': '\u0412', 'C': '\u0421', 'E': '\u0415', 'H': '\u041d', 'I': '\u0406',
	'J': '\u0408', 'K': '\u041a', 'M': '\u041c', 'N': '\u039d', 'O': '\u041e', 'P': '\u0420',
	'S': '\u0405', 'T': '\u0422', 'X': '\u0425', 'Y': '\u03a5', 'Z': '\u0396',
}
