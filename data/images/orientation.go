package images

import (
	"bytes"
	"encoding/binary"
)

// orientation is the EXIF orientation of a file, 1 to 8; 1 if it has none or it
// cannot be read.
func orientation(file []byte, format string) int {
	switch format {
	case "jpeg":
		return tiffOrientation(jpegEXIF(file))
	case "png":
		return tiffOrientation(pngEXIF(file))
	case "webp":
		return tiffOrientation(webpEXIF(file))
	case "tiff":
		return tiffOrientation(file)
	}
	return 1
}

// jpegEXIF finds the APP1 segment before the image data.
func jpegEXIF(b []byte) []byte {
	const app1, startOfScan = 0xe1, 0xda
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker, length := b[at+1], int(binary.BigEndian.Uint16(b[at+2:]))
		if marker == startOfScan || length < 2 || at+2+length > len(b) {
			return nil
		}
		segment := b[at+4 : at+2+length]
		if rest, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && marker == app1 {
			return rest
		}
		at += 2 + length
	}
	return nil
}

// pngEXIF finds the eXIf chunk.
func pngEXIF(b []byte) []byte {
	for at := 8; at+12 <= len(b); {
		length := int(binary.BigEndian.Uint32(b[at:]))
		if length > len(b)-at-12 {
			return nil
		}
		if string(b[at+4:at+8]) == "eXIf" {
			return b[at+8 : at+8+length]
		}
		at += 12 + length
	}
	return nil
}

// webpEXIF finds the EXIF chunk of the RIFF container.
func webpEXIF(b []byte) []byte {
	for at := 12; at+8 <= len(b); {
		length := int(binary.LittleEndian.Uint32(b[at+4:]))
		if length > len(b)-at-8 {
			return nil
		}
		if string(b[at:at+4]) == "EXIF" {
			return bytes.TrimPrefix(b[at+8:at+8+length], []byte("Exif\x00\x00"))
		}
		at += 8 + length + length%2
	}
	return nil
}

// tiffOrientation reads tag 0x0112 of the first directory of a TIFF structure.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(b[:2]) == "MM" {
		order = binary.BigEndian
	}
	const entryBytes, tagOrientation, typeShort = 12, 0x0112, 3
	directory := int64(order.Uint32(b[4:]))
	if directory+2 > int64(len(b)) {
		return 1
	}
	entries := int64(order.Uint16(b[directory:]))
	for i := range entries {
		at := directory + 2 + entryBytes*i
		if at+entryBytes > int64(len(b)) {
			return 1
		}
		if order.Uint16(b[at:]) == tagOrientation && order.Uint16(b[at+2:]) == typeShort {
			if v := int(order.Uint16(b[at+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}

// oriented turns and mirrors an image so that it stands as it was taken.
func (m *RGB) oriented(orientation int) *RGB {
	if orientation == 1 {
		return m
	}
	w, h := m.Width, m.Height
	out := &RGB{Width: w, Height: h, Pix: make([]uint8, len(m.Pix))}
	if orientation >= 5 {
		out.Width, out.Height = h, w
	}
	for y := range out.Height {
		for x := range out.Width {
			var fromX, fromY int
			switch orientation {
			case 2:
				fromX, fromY = w-1-x, y
			case 3:
				fromX, fromY = w-1-x, h-1-y
			case 4:
				fromX, fromY = x, h-1-y
			case 5:
				fromX, fromY = y, x
			case 6:
				fromX, fromY = y, h-1-x
			case 7:
				fromX, fromY = w-1-y, h-1-x
			case 8:
				fromX, fromY = w-1-y, x
			}
			copy(out.Pix[3*(y*out.Width+x):][:3], m.Pix[3*(fromY*w+fromX):])
		}
	}
	return out
}
