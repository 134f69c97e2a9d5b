package equal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"penstock.dev/data/jsonl"
	"penstock.dev/runners"
)

// Sink is how the records that a sink was given compare.
type Sink struct {
	Node        string
	Rows        int     // of the batch
	Largest     float64 // difference of two numbers, relative to those above 1
	Column, Row string  // where it is; empty if it is 0
	Differing   int     // rows that are missing, too many or differ by more than the tolerance
	Examples    []string
}

// maxExamples is the number of differing rows that are told of.
const maxExamples = 5

// row is a record of a sink.
type row map[string]any

// compareSink compares the records of a sink by the key of their events; those of
// one key, or of a sink without the key, by their order.
func (c *comparison) compareSink(ctx context.Context, node string) (*Sink, error) {
	content, err := os.ReadFile(c.sinkPath(node))
	if err != nil {
		return nil, err
	}
	var batch, stream []row
	for line := range bytes.Lines(content) {
		if batch, err = appendRow(batch, line); err != nil {
			return nil, fmt.Errorf("node %s: %w", node, err)
		}
	}
	err = c.conn.Read(ctx, c.sinkStream(node), func(payload []byte) (err error) {
		stream, err = appendRow(stream, payload)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", node, err)
	}
	s := &Sink{Node: node, Rows: len(batch)}
	s.compare(byKey(batch, c.source["key"].(string)), byKey(stream, c.source["key"].(string)), c.Tolerance)
	return s, nil
}

func appendRow(rows []row, payload []byte) ([]row, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var r row
	err := d.Decode(&r)
	return append(rows, r), err
}

// byKey names the rows by their key and how many had it before.
func byKey(rows []row, key string) map[string]row {
	named, seen := map[string]row{}, map[string]int{}
	for _, r := range rows {
		name := fmt.Sprint(r[key])
		if _, there := r[key]; !there {
			name = "number"
		}
		if seen[name]++; seen[name] > 1 || name == "number" {
			named[name+" "+strconv.Itoa(seen[name])] = r
		} else {
			named[name] = r
		}
	}
	return named
}

func (s *Sink) compare(batch, stream map[string]row, tolerance float64) {
	differ := func(format string, args ...any) {
		if s.Differing++; len(s.Examples) < maxExamples {
			s.Examples = append(s.Examples, fmt.Sprintf(format, args...))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(batch)) {
		other, there := stream[name]
		if !there {
			differ("row %s: not in the stream", name)
			continue
		}
		for _, column := range slices.Sorted(maps.Keys(batch[name])) {
			a, b := batch[name][column], other[column]
			d := jsonl.Distance(a, b)
			if d > s.Largest {
				s.Largest, s.Column, s.Row = d, column, name
			}
			if d > tolerance {
				differ("row %s: column %s is %.100v in the batch and %.100v in the stream", name, column, a, b)
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(stream)) {
		if _, there := batch[name]; !there {
			differ("row %s: not in the batch", name)
		}
	}
}

// compareCounts lists the nodes between source and sinks that had other numbers of
// rows passed, filtered and rejected.
func (c *comparison) compareCounts(batch, stream *runners.Result) (differing []string) {
	for i, b := range batch.Counts {
		s := stream.Counts[i]
		if b.Role == "source" || b.Passed == s.Passed && b.Filtered == s.Filtered && b.Rejected == s.Rejected {
			continue
		}
		differing = append(differing, fmt.Sprintf("node %s: %d passed, %d filtered, %d rejected in the batch; %d, %d, %d in the stream",
			b.Node, b.Passed, b.Filtered, b.Rejected, s.Passed, s.Filtered, s.Rejected))
	}
	return differing
}
