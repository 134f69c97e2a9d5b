// Package images decodes image files and resizes them as the libraries do that
// vision models were trained with.
//
// [Decode] takes a file's bytes (JPEG, PNG, GIF, WebP, BMP, TIFF) and gives 8-bit
// RGB, turned as the file's EXIF orientation says. Grey values are repeated, the
// high byte of 16-bit values is taken, of an animation the first frame, and
// transparency is dropped, as Pillow's convert("RGB") drops it. [RGB.Resize] is
// Pillow's resampling to the last bit, and so torchvision's on Pillow images. (Pillow
// 13 does the two passes in another order for images that shrink more in height than
// in width, by which a value differs by one at most.)
//
// Sizes are checked before anything is decoded: an image of [MaxPixels] needs at
// most half a gigabyte. Damaged files are errors, whatever is in them.
package images
