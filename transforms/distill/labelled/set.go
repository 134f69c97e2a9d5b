// Package labelled holds labelled images in memory, as training takes them.
package labelled

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"penstock.dev/transforms/models/nets"
)

// Set is labelled images of one shape.
type Set struct {
	Shape   nets.Shape
	Classes []string  // names, in order
	Images  []float32 // [n, height, width, channels]; 0 to 1 as read
	Labels  []int     // of each image, an index of Classes
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Of lists the images of each class.
func (s *Set) Of() [][]int {
	of := make([][]int, len(s.Classes))
	for i, label := range s.Labels {
		of[label] = append(of[label], i)
	}
	return of
}

// Image is the values of an image; they must not be modified.
func (s *Set) Image(i int) []float32 {
	size := s.Shape.Size()
	return s.Images[i*size : (i+1)*size]
}

// Hash names the content of a set: SHA-256 over shape, classes, images and labels in
// their order, in hexadecimal.
func (s *Set) Hash() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q\n", s.Shape, s.Classes)
	word := make([]byte, 0, 4*s.Shape.Size()+4)
	for i, label := range s.Labels {
		word = binary.LittleEndian.AppendUint32(word[:0], uint32(label))
		for _, v := range s.Image(i) {
			word = binary.LittleEndian.AppendUint32(word, math.Float32bits(v))
		}
		sum.Write(word)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Scaling is the preprocessing of images: x becomes (x - Mean) / Deviation, by channel.
type Scaling struct {
	Mean      []float64 `json:"mean"`
	Deviation []float64 `json:"deviation"`
}

// Scaling is that which gives the set mean 0 and deviation 1 in every channel.
func (s *Set) Scaling() Scaling {
	channels := s.Shape.Channels
	c := Scaling{make([]float64, channels), make([]float64, channels)}
	n := float64(len(s.Images) / channels)
	for i, v := range s.Images {
		c.Mean[i%channels] += float64(v) / n
	}
	for i, v := range s.Images {
		d := float64(v) - c.Mean[i%channels]
		c.Deviation[i%channels] += d * d / n
	}
	for k, variance := range c.Deviation {
		c.Deviation[k] = max(math.Sqrt(variance), 1e-6) // a channel of one value
	}
	return c
}

// Check reports a scaling that does not fit images of some channels.
func (c Scaling) Check(channels int) error {
	if len(c.Mean) != channels || len(c.Deviation) != channels {
		return fmt.Errorf("means and deviations of %d and %d channels for images of %d", len(c.Mean), len(c.Deviation), channels)
	}
	for _, d := range c.Deviation {
		if !(d > 0) {
			return fmt.Errorf("a deviation of %g", d)
		}
	}
	return nil
}

// Apply is the set with its images scaled; the rest is shared.
func (c Scaling) Apply(s *Set) *Set {
	scaled := *s
	scaled.Images = make([]float32, len(s.Images))
	channels := s.Shape.Channels
	for i, v := range s.Images {
		scaled.Images[i] = float32((float64(v) - c.Mean[i%channels]) / c.Deviation[i%channels])
	}
	return &scaled
}

// Pixel turns a scaled value of a channel back into one from 0 to 1, or near it.
func (c Scaling) Pixel(v float32, channel int) float64 {
	return float64(v)*c.Deviation[channel] + c.Mean[channel]
}

// OneHot is the probabilities [n, classes] of labels that are certain.
func OneHot(labels []int, classes int) []float32 {
	targets := make([]float32, len(labels)*classes)
	for i, label := range labels {
		targets[i*classes+label] = 1
	}
	return targets
}
