// Package worker serves the machines of a Beam engine: a [Pool] starts, on request, a
// process for each worker that the engine wants, and [Work] is what such a process
// does.
package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
	"google.golang.org/grpc"

	"penstock.dev/graphs"
)

// Options of a pipeline, by which the submitting process speaks to the pool.
const (
	OptionFolder = "penstock_folder" // the run's folder
	OptionBuild  = "penstock_build"  // of the submitting program, as JSON
)

// provisionTimeout bounds the question to the engine what a worker is for.
const provisionTimeout = 30 * time.Second

// Pool starts worker processes. Several engines on a machine may use one, though
// they give their workers the same ids.
type Pool struct {
	fnpb.UnimplementedBeamFnExternalWorkerPoolServer
	Build   Build
	Command []string // that does [Work]
	Log     *slog.Logger

	processes sync.WaitGroup
	stopping  context.Context
}

// Serve answers requests until ctx ends, and then ends the workers.
func (p *Pool) Serve(ctx context.Context, listener net.Listener) error {
	p.stopping = ctx
	server := grpc.NewServer()
	fnpb.RegisterBeamFnExternalWorkerPoolServer(server, p)
	defer context.AfterFunc(ctx, server.Stop)()
	defer p.processes.Wait()
	if err := server.Serve(listener); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// StartWorker implements the engine's service. It answers when the worker has opened
// the run's nodes, or with the reason why there is none.
func (p *Pool) StartWorker(ctx context.Context, request *fnpb.StartWorkerRequest) (*fnpb.StartWorkerResponse, error) {
	task, folder, err := p.accept(ctx, request)
	if err == nil {
		err = p.start(task)
	}
	if err == nil {
		return &fnpb.StartWorkerResponse{}, nil
	}
	host, _ := os.Hostname()
	err = fmt.Errorf("penstock worker on %s: %w", host, err)
	p.Log.Error("no worker started", "error", err)
	if folder != "" {
		graphs.Fail(folder, err)
	}
	return &fnpb.StartWorkerResponse{Error: err.Error()}, nil
}

// StopWorker implements the engine's service. Ids repeat, so nothing is ended by one:
// a worker ends when the engine closes its connection.
func (p *Pool) StopWorker(context.Context, *fnpb.StopWorkerRequest) (*fnpb.StopWorkerResponse, error) {
	return &fnpb.StopWorkerResponse{}, nil
}

// accept finds out what a worker is wanted for.
func (p *Pool) accept(ctx context.Context, request *fnpb.StartWorkerRequest) (_ *Task, folder string, err error) {
	if request.GetLoggingEndpoint().GetAuthentication() != nil || request.GetControlEndpoint().GetAuthentication() != nil {
		return nil, "", errors.New("the engine wants authentication, which is not supported")
	}
	ctx, stop := context.WithTimeout(grpcx.WriteWorkerID(ctx, request.GetWorkerId()), provisionTimeout)
	defer stop()
	info, err := tools.ProvisionInfo(ctx, request.GetProvisionEndpoint().GetUrl())
	if err != nil {
		return nil, "", fmt.Errorf("the engine does not say what the worker is for: %w", err)
	}
	var options runtime.RawOptionsWrapper
	if err := tools.ProtoToOptions(info.GetPipelineOptions(), &options); err != nil {
		return nil, "", fmt.Errorf("options of the pipeline: %w", err)
	}
	folder = options.Options.Options[OptionFolder]
	if folder == "" {
		return nil, "", errors.New("the pipeline was not submitted by penstock run")
	}
	var theirs Build
	if err := json.Unmarshal([]byte(options.Options.Options[OptionBuild]), &theirs); err != nil {
		return nil, folder, fmt.Errorf("build of the submitting program: %w", err)
	}
	if !p.Build.Accepts(theirs) {
		return nil, folder, fmt.Errorf("it is penstock %v, the run was submitted by %v (install one build everywhere)", p.Build, theirs)
	}
	return &Task{
		ID:           request.GetWorkerId(),
		Control:      request.GetControlEndpoint().GetUrl(),
		Logging:      request.GetLoggingEndpoint().GetUrl(),
		Capabilities: info.GetRunnerCapabilities(),
		Options:      options.Options,
		Folder:       folder,
	}, folder, nil
}

// start starts a process for a task and waits until it is ready. The process ends
// with its standard input, whatever becomes of this one.
func (p *Pool) start(task *Task) error {
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := json.NewEncoder(in).Encode(task); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	ready := make(chan string, 1)
	p.processes.Go(func() {
		defer context.AfterFunc(p.stopping, func() { in.Close() })()
		answer, _ := bufio.NewReader(out).ReadString('\n')
		ready <- strings.TrimSpace(answer)
		io.Copy(io.Discard, out)
		err := cmd.Wait()
		p.Log.Info("worker ended", "pid", cmd.Process.Pid, "run", task.Folder, "error", err)
	})
	switch answer := <-ready; answer {
	case answerReady:
		p.Log.Info("worker started", "pid", cmd.Process.Pid, "run", task.Folder)
		return nil
	case "":
		return errors.New("the process ended before it was ready")
	default:
		return errors.New(answer)
	}
}
