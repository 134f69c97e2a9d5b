package runners

import (
	"context"
	"log/slog"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// initBeam readies the SDK, after all DoFns are registered. The SDK and Prism
// say what they do, and repeat every error of a DoFn, through slog's default
// logger, which penstock itself never uses: it goes to log at debug level and
// nowhere otherwise.
func initBeam(log *slog.Logger) {
	beamInit() // replaces the default logger
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if log.Enabled(context.Background(), slog.LevelDebug) {
		slog.SetDefault(log.With("from", "beam"))
	}
}

var beamInit = sync.OnceFunc(beam.Init)
