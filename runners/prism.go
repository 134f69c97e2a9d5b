package runners

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/extworker"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/runnerlib"
)

// jobServer is Prism's in-memory job service. It cannot be stopped, so a
// process has one.
var jobServer = sync.OnceValues(func() (jobpb.JobServiceClient, error) {
	return prism.CreateJobServer(context.Background(), prism.Options{})
})

// job is a pipeline under way on a job service.
type job struct {
	client jobpb.JobServiceClient
	id     string
	worker *extworker.Loopback
}

// submit starts a pipeline on Prism, with this process as its worker. The
// worker's connections outlive ctx: Prism panics when one of them ends by a
// deadline, so a job is stopped by cancelling it (wait).
func submit(ctx context.Context, name string, p *beam.Pipeline) (_ *job, err error) {
	ctx = context.WithoutCancel(ctx)
	client, err := jobServer()
	if err != nil {
		return nil, fmt.Errorf("prism: %w", err)
	}
	edges, _, err := p.Build()
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	worker, err := extworker.StartLoopback(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("prism: worker: %w", err)
	}
	defer func() {
		if err != nil {
			worker.Stop(ctx)
		}
	}()
	env, err := graphx.CreateEnvironment(ctx, graphx.URNEnvExternal, worker.EnvironmentConfig)
	if err != nil {
		return nil, fmt.Errorf("prism: environment: %w", err)
	}
	pb, err := graphx.Marshal(edges, &graphx.Options{Environment: env})
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	// Loopback ships no binary, yet the staging step wants a file.
	empty, err := os.CreateTemp("", "penstock-worker-*")
	if err != nil {
		return nil, err
	}
	empty.Close()
	defer os.Remove(empty.Name())
	if err := runnerlib.UpdateGoEnvironmentWorker(empty.Name(), pb); err != nil {
		return nil, err
	}
	id, endpoint, token, err := runnerlib.Prepare(ctx, client, pb, &runnerlib.JobOptions{
		Name:     name,
		Loopback: true,
		// Splits would send a large bundle's input again and again, and the
		// windows of row nodes do without them.
		Experiments: []string{"prism_disable_sdf_split"},
	})
	if err != nil {
		return nil, fmt.Errorf("prism: prepare: %w", err)
	}
	staged, err := runnerlib.Stage(ctx, id, endpoint, empty.Name(), token)
	if err != nil {
		return nil, fmt.Errorf("prism: stage: %w", err)
	}
	jobID, err := runnerlib.Submit(ctx, client, id, staged)
	if err != nil {
		return nil, fmt.Errorf("prism: submit: %w", err)
	}
	return &job{client, jobID, worker}, nil
}

// cancelGrace is how long a cancelled job may take to end.
const cancelGrace = 10 * time.Second

// wait returns when the job has ended. Cancelling ctx cancels the job, which
// drops what is in flight.
func (j *job) wait(ctx context.Context) error {
	// The job is always waited for, so it gets a context that lives on.
	background := context.WithoutCancel(ctx)
	defer j.worker.Stop(background)
	done := make(chan error, 1)
	go func() { done <- runnerlib.WaitForCompletion(background, j.client, j.id) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if _, err := j.client.Cancel(background, &jobpb.CancelJobRequest{JobId: j.id}); err != nil {
		return fmt.Errorf("prism: cancel: %w", err)
	}
	select {
	case <-done:
	case <-time.After(cancelGrace):
	}
	return context.Cause(ctx)
}
