package progress

import (
	"io"
	"log/slog"
	"math"
	"sync"
	"time"
)

// Snapshot is how a run stands at a moment.
type Snapshot struct {
	Elapsed   time.Duration // since the run began
	Rows      int64         // done
	Expected  int64         // in all, 0 if unknown
	Rejected  int64
	BatchFill float64 // of the model's batches, 0 to 1; NaN if unknown
	Busiest   string  // the node that takes the most time, empty if unknown
	Nodes     []Node  // for the log; may be empty
}

// Node is a node's count of rows.
type Node struct {
	Name string
	Rows int64
}

// Options say where progress goes.
type Options struct {
	Terminal bool         // w is a terminal: rewrite one line on it
	Width    func() int   // of the terminal, in columns; nil: 80
	Log      *slog.Logger // gets the lines if w is no terminal; nil: text lines to w
}

// Progress shows a run's progress. It is used once: Start, then Stop.
type Progress struct {
	interval time.Duration
	snap     func() Snapshot
	options  Options
	meter    meter

	stop, done chan struct{}
	started    bool
	once       sync.Once

	mu   sync.Mutex // guards what follows
	w    io.Writer
	line string // on the terminal now
}

// New makes a Progress that asks snap every interval, which is at least 50 ms.
// snap is called from one goroutine at a time.
func New(w io.Writer, interval time.Duration, snap func() Snapshot, o Options) *Progress {
	if o.Width == nil {
		o.Width = func() int { return 80 }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(w, nil))
	}
	return &Progress{
		interval: max(interval, 50*time.Millisecond),
		snap:     snap,
		options:  o,
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
		w:        w,
	}
}

// Start begins to show progress, the first time after one interval.
func (p *Progress) Start() {
	p.started = true
	go func() {
		defer close(p.done)
		ticker := time.NewTicker(p.interval)
		defer ticker.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				p.show()
			}
		}
	}()
}

// Stop ends it, waits until nothing more is written, and clears the line. It
// may be called again.
func (p *Progress) Stop() {
	p.once.Do(func() {
		close(p.stop)
		if p.started {
			<-p.done
		}
		p.rewrite("")
	})
}

// Write writes b, which should be whole lines, above the progress line.
func (p *Progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == "" {
		return p.w.Write(b)
	}
	// One write, so that the line is never seen missing.
	out := append([]byte("\r\x1b[K"), b...)
	if _, err := p.w.Write(append(out, p.line...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *Progress) show() {
	s := p.snap()
	p.meter.add(s.Elapsed, s.Rows)
	rate := p.meter.rate()
	left, known := p.meter.left(s)
	if p.options.Terminal {
		p.rewrite(format(s, rate, left, known, p.options.Width()-1))
		return
	}
	p.log(s, rate, left, known)
}

// rewrite puts line in the place of the one shown, in one write and only if it
// differs.
func (p *Progress) rewrite(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if line == p.line {
		return
	}
	p.line = line
	io.WriteString(p.w, "\r"+line+"\x1b[K") // a terminal that is gone is no reason to fail the run
}

func (p *Progress) log(s Snapshot, rate float64, left time.Duration, known bool) {
	attrs := []any{"elapsed", s.Elapsed.Round(time.Second).String(), "rows", s.Rows}
	if s.Expected > 0 {
		attrs = append(attrs, "expected", s.Expected)
	}
	attrs = append(attrs, "rows_per_second", math.Round(rate*10)/10, "rejected", s.Rejected)
	if !math.IsNaN(s.BatchFill) {
		attrs = append(attrs, "batch_fill", math.Round(s.BatchFill*1000)/1000)
	}
	if known {
		attrs = append(attrs, "left", left.String())
	}
	if s.Busiest != "" {
		attrs = append(attrs, "busiest", s.Busiest)
	}
	if len(s.Nodes) > 0 {
		nodes := make([]any, len(s.Nodes))
		for i, n := range s.Nodes {
			nodes[i] = slog.Int64(n.Name, n.Rows)
		}
		attrs = append(attrs, slog.Group("nodes", nodes...))
	}
	p.options.Log.Info("progress", attrs...)
}
