package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/grpc"
)

// provider is the engine that says what a worker is for.
type provider struct {
	fnpb.UnimplementedProvisionServiceServer
	options map[string]string
}

func (p *provider) GetProvisionInfo(context.Context, *fnpb.GetProvisionInfoRequest) (*fnpb.GetProvisionInfoResponse, error) {
	options, err := tools.OptionsToProto(runtime.RawOptionsWrapper{Options: runtime.RawOptions{Options: p.options}})
	return &fnpb.GetProvisionInfoResponse{Info: &fnpb.ProvisionInfo{PipelineOptions: options}}, err
}

func listen(t *testing.T, serve func(net.Listener)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serve(l)
	return l.Addr().String()
}

// A worker that cannot be had is refused with the reason, which is left in the run's
// folder too.
func TestPoolTellsWhyThereIsNoWorker(t *testing.T) {
	build := ThisBuild("v1")
	other := build
	other.Version, other.Sum = "v2", "0123456789"
	encoded := func(b Build) string { text, _ := json.Marshal(b); return string(text) }
	tests := []struct {
		name    string
		options map[string]string
		command string // of the shell
		want    string // empty if the worker starts
	}{
		{"foreign pipeline", map[string]string{}, "", "the pipeline was not submitted by penstock run"},
		{"another build", map[string]string{OptionBuild: encoded(other)}, "", "the run was submitted by v2 " + build.Platform + " 01234567 (install one build everywhere)"},
		{"damaged build", map[string]string{OptionBuild: "{"}, "", "build of the submitting program"},
		{"dies", map[string]string{OptionBuild: encoded(build)}, "read task", "the process ended before it was ready"},
		{"refuses", map[string]string{OptionBuild: encoded(build)}, "read task; echo no such model", "no such model"},
		{"starts", map[string]string{OptionBuild: encoded(build)}, "read task; echo ready; read end", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if len(test.options) > 0 {
				test.options[OptionFolder] = folder
			}
			endpoint := listen(t, func(l net.Listener) {
				s := grpc.NewServer()
				fnpb.RegisterProvisionServiceServer(s, &provider{options: test.options})
				context.AfterFunc(t.Context(), s.Stop)
				s.Serve(l)
			})
			ctx, stop := context.WithCancel(t.Context())
			p := &Pool{Build: build, Command: []string{"sh", "-c", test.command}, Log: slog.New(slog.DiscardHandler)}
			served := make(chan error, 1)
			listen(t, func(l net.Listener) { served <- p.Serve(ctx, l) })
			at := &pipepb.ApiServiceDescriptor{Url: endpoint}
			response, err := p.StartWorker(ctx, &fnpb.StartWorkerRequest{WorkerId: "1-1", ProvisionEndpoint: at, ControlEndpoint: at, LoggingEndpoint: at})
			if err != nil || !strings.Contains(response.GetError(), test.want) || (test.want == "") != (response.GetError() == "") {
				t.Errorf("answer %q, %v; want %q", response.GetError(), err, test.want)
			}
			left, _ := os.ReadFile(filepath.Join(folder, "failure.json"))
			if told := len(test.options) > 0 && test.want != ""; told != (len(left) > 0) || told && !strings.Contains(string(left), test.want) {
				t.Errorf("left in the folder: %q", left)
			}
			stop()
			if err := <-served; err != nil { // and the worker has ended
				t.Error(err)
			}
		})
	}
}
