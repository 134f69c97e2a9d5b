package serve

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// lookTimeout is how long a request waits for a server to say how a stream stands.
const lookTimeout = 3 * time.Second

// handler answers for the graphs.
func handler(keepers []*keeper, version string) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{keepers, version},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", tell(keepers, (*keeper).trouble))
	mux.HandleFunc("GET /readyz", tell(keepers, (*keeper).unready))
	return mux
}

// tell answers 200, or 503 with a line for each graph of which why says something.
func tell(keepers []*keeper, why func(*keeper) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lookAll(r.Context(), keepers)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		lines := ""
		for _, k := range keepers {
			if reason := why(k); reason != "" {
				lines += fmt.Sprintf("graph %s: %s\n", k.name, reason)
			}
		}
		if lines != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, lines)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// lookAll asks how all streams stand now.
func lookAll(ctx context.Context, keepers []*keeper) {
	ctx, stop := context.WithTimeout(ctx, lookTimeout)
	defer stop()
	var all sync.WaitGroup
	for _, k := range keepers {
		all.Go(func() { k.look(ctx) })
	}
	all.Wait()
}
