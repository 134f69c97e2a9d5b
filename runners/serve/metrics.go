package serve

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"penstock.dev/graphs"
	"penstock.dev/transforms"
)

// The metrics. Names, labels and meaning are part of what serve promises.
var (
	descInfo         = desc("build_info", "Version of the program; always 1.", "version", "goversion")
	descUp           = desc("up", "Whether the graph's pipeline runs.", "graph")
	descStuck        = desc("stuck", "Whether the graph has made no progress for too long.", "graph")
	descRestarts     = desc("restarts_total", "Failures of the pipeline.", "graph")
	descReloads      = desc("reloads_total", "Changed graphs, by whether they were taken over.", "graph", "result")
	descLag          = desc("stream_lag_events", "Events in the stream that no process has taken.", "graph")
	descPending      = desc("stream_pending_events", "Events that some process has taken and not acknowledged.", "graph")
	descOldest       = desc("stream_oldest_event_age_seconds", "Time since the publication of the oldest event that is not acknowledged, 0 if there is none.", "graph")
	descInFlight     = desc("events_in_flight", "Events that this process has under way.", "graph")
	descReceived     = desc("events_received_total", "Deliveries of events.", "graph")
	descRedelivered  = desc("events_redelivered_total", "Deliveries that were not the first of their event.", "graph")
	descAcknowledged = desc("events_acknowledged_total", "Events of which everything was stored or filtered.", "graph")
	descDeadLetters  = desc("dead_letters_total", "Events that became dead letters.", "graph")
	descLatency      = desc("event_latency_seconds", "Time from the publication of an event, by the server's clock, to its acknowledgement.", "graph")
	descRows         = desc("rows_total", "Rows that entered a node, by what became of them.", "graph", "node", "outcome")
	descRejects      = desc("rejects_total", "Rejected rows by class.", "graph", "node", "class")
	descBusy         = desc("node_busy_seconds_total", "Time with a row or more in the node's own code.", "graph", "node")
	descDevice       = desc("device_seconds_total", "Time with a batch on the node's device.", "graph", "node")
	descFill         = desc("batch_fill_ratio", "Share of the device's work that was not padding.", "graph", "node")
)

// descs are all of them.
var descs = []*prometheus.Desc{
	descInfo, descUp, descStuck, descRestarts, descReloads, descLag, descPending, descOldest, descInFlight, descReceived, descRedelivered,
	descAcknowledged, descDeadLetters, descLatency, descRows, descRejects, descBusy, descDevice, descFill,
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("penstock_"+name, help, labels, nil)
}

// figures are counters of the pipelines of a graph.
type figures struct {
	counts  map[series]float64
	latency transforms.Latency
}

// series is a counter with its first n labels.
type series struct {
	desc   *prometheus.Desc
	labels [3]string
	n      int
}

// add adds the counters of another pipeline.
func (f *figures) add(other figures) {
	if f.counts == nil {
		f.counts = map[series]float64{}
	}
	for s, v := range other.counts {
		f.counts[s] += v
	}
	if f.latency.Counts == nil {
		f.latency = other.latency
		return
	}
	f.latency.Counts = slices.Clone(f.latency.Counts)
	for i, n := range other.latency.Counts {
		f.latency.Counts[i] += n
	}
	f.latency.Sum += other.latency.Sum
}

// figuresOf are the counters of a pipeline now.
func figuresOf(graph string, e *graphs.Execution) figures {
	f := figures{counts: map[series]float64{}}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		s := series{desc: d, labels: [3]string{graph}, n: 1 + len(labels)}
		copy(s.labels[1:], labels)
		f.counts[s] = v
	}
	events := e.Events()
	count(descReceived, float64(events.Received))
	count(descRedelivered, float64(events.Redelivered))
	count(descAcknowledged, float64(events.Acknowledged))
	count(descDeadLetters, float64(events.DeadLetters))
	if _, s := e.Subscription(); s != nil {
		f.latency = s.Latency()
	}
	for _, c := range e.Counts() {
		count(descRows, float64(c.Passed), c.Node, "passed")
		count(descRows, float64(c.Filtered), c.Node, "filtered")
		count(descRows, float64(c.Rejected), c.Node, "rejected")
		for _, class := range c.Rejects {
			count(descRejects, float64(class.Rows), c.Node, class.Class)
		}
		count(descBusy, c.Busy.Seconds(), c.Node)
		for _, m := range e.Metrics(c.Node) {
			if m.Name == transforms.DeviceSeconds {
				count(descDevice, m.Value, c.Node)
			}
		}
	}
	return f
}

// collector makes metrics of how the graphs stand.
type collector struct {
	keepers []*keeper
	version string
}

// Describe implements prometheus.Collector.
func (*collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	lookAll(context.Background(), c.keepers)
	out <- prometheus.MustNewConstMetric(descInfo, prometheus.GaugeValue, 1, c.version, runtime.Version())
	for _, k := range c.keepers {
		k.collect(out)
	}
}

func (k *keeper) collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{k.name}, labels...)...)
	}
	k.watch.collect(gauge)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	gauge(descUp, one(k.execution != nil))
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	counter(descRestarts, float64(k.restarts), k.name)
	counter(descReloads, float64(k.reloads), k.name, "taken")
	counter(descReloads, float64(k.refused), k.name, "refused")
	var all figures
	all.add(k.before)
	var inFlight int64
	if k.execution != nil {
		all.add(figuresOf(k.name, k.execution))
		inFlight = k.execution.Events().InFlight
		for _, c := range k.execution.Counts() {
			for _, m := range k.execution.Metrics(c.Node) {
				if m.Name == transforms.BatchFill {
					gauge(descFill, m.Value, c.Node)
				}
			}
		}
	}
	gauge(descInFlight, float64(inFlight))
	for s, v := range all.counts {
		counter(s.desc, v, s.labels[:s.n]...)
	}
	out <- all.histogram(k.name)
}

// histogram is the latency as Prometheus has it: each class counts those below it.
func (f figures) histogram(graph string) prometheus.Metric {
	classes := map[float64]uint64{}
	var below int64
	for i, bound := range f.latency.Bounds {
		below += f.latency.Counts[i]
		classes[bound.Seconds()] = uint64(below)
	}
	if n := len(f.latency.Counts); n > 0 {
		below += f.latency.Counts[n-1]
	}
	return prometheus.MustNewConstHistogram(descLatency, uint64(below), f.latency.Sum.Seconds(), classes, graph)
}

// collect gives what is known of the stream; nothing while the server is away.
func (w *watch) collect(gauge func(*prometheus.Desc, float64, ...string)) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	gauge(descStuck, one(w.stuck))
	if w.err != nil {
		return
	}
	gauge(descLag, float64(w.state.Waiting))
	gauge(descPending, float64(w.state.Pending))
	age := 0.0
	if !w.state.Oldest.IsZero() {
		age = max(0, time.Since(w.state.Oldest).Seconds())
	}
	gauge(descOldest, age)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
