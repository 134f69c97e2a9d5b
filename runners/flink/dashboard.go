// Package flink asks a Flink cluster, by its REST interface, for what Beam's job
// service does not tell.
package flink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Dashboard is the host:port of a cluster's REST interface; empty if it is not
// known, and then nothing is asked.
type Dashboard string

var client = &http.Client{Timeout: 10 * time.Second}

func (d Dashboard) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(d)+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(http.MaxBytesReader(nil, response.Body, 16<<20)).Decode(into)
}

// Ready reports an error if the cluster does not answer or has fewer free slots than
// a job wants: it would wait for them without a word. A parallelism of 0 wants one.
func (d Dashboard) Ready(ctx context.Context, parallelism int) error {
	if d == "" {
		return nil
	}
	var o struct {
		TaskManagers int `json:"taskmanagers"`
		Total        int `json:"slots-total"`
		Free         int `json:"slots-available"`
	}
	if err := d.get(ctx, "/overview", &o); err != nil {
		return fmt.Errorf("flink does not answer at --dashboard %s: %w", d, err)
	}
	if want := max(1, parallelism); o.Free < want {
		return fmt.Errorf("flink has no free slot: %d wanted (--parallelism), %d of %d free on %d task managers (wait for other jobs, or start task managers)", want, o.Free, o.Total, o.TaskManagers)
	}
	return nil
}

// marker begins what a worker pool answers when it refuses a worker.
const marker = "penstock worker "

// Complaint is what a worker pool refused to do for the named job, nil if nothing;
// Flink tries again and again. A pool that cannot be reached counts too.
func (d Dashboard) Complaint(ctx context.Context, job string) error {
	if d == "" {
		return nil
	}
	id, err := d.id(ctx, job)
	if id == "" || err != nil {
		return nil // it comes later, or the job service will tell
	}
	var e struct {
		Root    string `json:"root-exception"`
		History struct {
			Entries []struct {
				Stacktrace string `json:"stacktrace"`
			} `json:"entries"`
		} `json:"exceptionHistory"`
	}
	if d.get(ctx, "/jobs/"+id+"/exceptions", &e) != nil {
		return nil
	}
	traces := []string{e.Root}
	for _, entry := range e.History.Entries {
		traces = append(traces, entry.Stacktrace)
	}
	for _, trace := range traces {
		if complaint := complaintIn(trace); complaint != "" {
			return errors.New(complaint)
		}
	}
	return nil
}

// complaintIn finds in a stack trace the line that a pool answered, or that there is
// none.
func complaintIn(trace string) string {
	for line := range strings.Lines(trace) {
		if _, complaint, ok := strings.Cut(line, marker); ok {
			return marker + strings.TrimSpace(complaint)
		}
	}
	if strings.Contains(trace, "ExternalEnvironmentFactory") && strings.Contains(trace, "Connection refused") {
		return "no penstock worker answers on a machine of the cluster (is penstock worker started on each, at the address of --workers?)"
	}
	return ""
}

// id is the cluster's name for the job.
func (d Dashboard) id(ctx context.Context, job string) (string, error) {
	var o struct {
		Jobs []struct {
			ID   string `json:"jid"`
			Name string `json:"name"`
		} `json:"jobs"`
	}
	if err := d.get(ctx, "/jobs/overview", &o); err != nil {
		return "", err
	}
	for _, j := range o.Jobs {
		if strings.Contains(j.Name, job) {
			return j.ID, nil
		}
	}
	return "", nil
}
