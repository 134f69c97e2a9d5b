package runners

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/extworker"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/runnerlib"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

// prismService is Prism's in-memory job service. It cannot be stopped, so a
// process has one.
var prismService = sync.OnceValues(func() (jobpb.JobServiceClient, error) {
	return prism.CreateJobServer(context.Background(), prism.Options{})
})

// service is a job service and who works for it.
type service struct {
	name    string // for errors
	client  jobpb.JobServiceClient
	workers string            // address of the worker pool as the runner's machines see it
	options map[string]any    // further pipeline options
	told    map[string]string // to the workers
	close   func()
}

// inProcess is Prism with this process as its worker. The worker's connections
// outlive ctx: Prism panics when one of them ends by a deadline.
func inProcess(ctx context.Context) (*service, error) {
	client, err := prismService()
	if err != nil {
		return nil, fmt.Errorf("prism: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	worker, err := extworker.StartLoopback(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("prism: worker: %w", err)
	}
	return &service{
		name:    "prism",
		client:  client,
		workers: worker.EnvironmentConfig(ctx),
		// Splits would send a large bundle's input again and again, and the
		// windows of row nodes do without them.
		options: map[string]any{"experiments": []any{"prism_disable_sdf_split", "beam_fn_api"}},
		close:   func() { worker.Stop(ctx) },
	}, nil
}

// job is a pipeline under way on a job service.
type job struct {
	*service
	id string
}

// submit starts a pipeline. Whatever becomes of ctx, the job is stopped only by
// cancelling it (wait).
func (s *service) submit(ctx context.Context, name string, p *beam.Pipeline) (*job, error) {
	ctx = context.WithoutCancel(ctx)
	edges, _, err := p.Build()
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	env, err := graphx.CreateEnvironment(ctx, graphx.URNEnvExternal, func(context.Context) string { return s.workers })
	if err != nil {
		return nil, fmt.Errorf("%s: environment: %w", s.name, err)
	}
	pb, err := graphx.Marshal(edges, &graphx.Options{Environment: env})
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	// The workers have their binary, yet the staging step wants a file.
	empty, err := os.CreateTemp("", "penstock-worker-*")
	if err != nil {
		return nil, err
	}
	empty.Close()
	defer os.Remove(empty.Name())
	if err := runnerlib.UpdateGoEnvironmentWorker(empty.Name(), pb); err != nil {
		return nil, err
	}
	prepared, err := s.prepare(ctx, name, pb)
	if err != nil {
		return nil, fmt.Errorf("%s: prepare: %w", s.name, err)
	}
	staged, err := runnerlib.Stage(ctx, prepared.GetPreparationId(), prepared.GetArtifactStagingEndpoint().GetUrl(), empty.Name(), prepared.GetStagingSessionToken())
	if err != nil {
		return nil, fmt.Errorf("%s: stage: %w", s.name, err)
	}
	id, err := runnerlib.Submit(ctx, s.client, prepared.GetPreparationId(), staged)
	if err != nil {
		return nil, fmt.Errorf("%s: submit: %w", s.name, err)
	}
	return &job{s, id}, nil
}

// prepare announces a pipeline with its options.
func (s *service) prepare(ctx context.Context, name string, p *pipepb.Pipeline) (*jobpb.PrepareJobResponse, error) {
	options, err := tools.OptionsToProto(runtime.RawOptionsWrapper{
		Options: runtime.RawOptions{Options: s.told},
		AppName: name,
	})
	if err != nil {
		return nil, err
	}
	options.Fields["beam:option:job_name:v1"] = structpb.NewStringValue(name)
	for option, value := range s.options {
		v, err := structpb.NewValue(value)
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", option, err)
		}
		options.Fields["beam:option:"+option+":v1"] = v
	}
	return s.client.Prepare(ctx, &jobpb.PrepareJobRequest{Pipeline: p, PipelineOptions: options, JobName: name})
}

// cancelGrace is how long a cancelled job may take to end.
const cancelGrace = 10 * time.Second

// wait returns when the job has ended. Cancelling ctx cancels the job, which
// drops what is in flight.
func (j *job) wait(ctx context.Context) error {
	// The job is always waited for, so it gets a context that lives on.
	background := context.WithoutCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runnerlib.WaitForCompletion(background, j.client, j.id) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if _, err := j.client.Cancel(background, &jobpb.CancelJobRequest{JobId: j.id}); err != nil {
		return fmt.Errorf("%s: cancel: %w", j.name, err)
	}
	select {
	case <-done:
	case <-time.After(cancelGrace):
	}
	return context.Cause(ctx)
}

// dialTimeout is how long a job service may take to answer.
const dialTimeout = 10 * time.Second

// dial connects to a job service.
func dial(ctx context.Context, on Engine) (*service, error) {
	client, conn, err := connect(ctx, on.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("no job service answers at --endpoint %s (is it started, and the port that of --job-port?): %w", on.Endpoint, err)
	}
	options := map[string]any{"experiments": []any{"beam_fn_api"}, "parallelism": on.Parallelism}
	maps.Copy(options, on.Options)
	return &service{name: on.Runner, client: client, workers: on.Workers, options: options, close: func() { conn.Close() }}, nil
}

func connect(ctx context.Context, endpoint string) (jobpb.JobServiceClient, *grpc.ClientConn, error) {
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecureCredentials()))
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithTimeout(ctx, dialTimeout)
	defer stop()
	client := jobpb.NewJobServiceClient(conn)
	if _, err := client.GetJobs(ctx, &jobpb.GetJobsRequest{}); err != nil {
		return nil, nil, errors.Join(plain(err), conn.Close())
	}
	return client, conn, nil
}

// plain is an error of a call without what gRPC says around it.
func plain(err error) error {
	_, message, found := strings.Cut(err.Error(), "desc = ")
	if !found {
		return err
	}
	return errors.New(strings.Trim(message, `"`))
}
