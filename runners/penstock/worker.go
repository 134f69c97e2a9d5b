package main

import (
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"penstock.dev/runners/worker"
)

func workerCommand() *cobra.Command {
	var listen string
	var task bool
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work for a cluster on this machine",
		Long: `Worker waits on a machine of a Flink cluster, or of another Beam engine, for the
engine's requests, and starts a process for each worker that a run wants here. It
is of the same build as the program that submits the run, sees the run's folder
(--work) and its inputs under the same names, and has the models. Who can reach its
address can have it open graphs: it is the loopback unless --listen says otherwise.`,
		Example: `  penstock worker
  penstock worker --listen 127.0.0.1:50001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if task {
				return failed(worker.Work(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout()))
			}
			return failed(serveWorkers(cmd, listen))
		},
	}
	backendFlags(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:50000", "address to wait at; port 0 takes a free one")
	cmd.Flags().BoolVar(&task, "task", false, "do the task on standard input")
	cmd.Flags().MarkHidden("task")
	return cmd
}

func serveWorkers(cmd *cobra.Command, listen string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	log := logger(cmd)
	log.Info("waiting for runs", "listen", listener.Addr().String(), "build", worker.ThisBuild(version()).String())
	fmt.Fprintln(cmd.OutOrStdout(), listener.Addr())
	command := []string{program, "worker", "--task"}
	for _, flag := range []string{"backend", "pjrt"} {
		if value, _ := cmd.Flags().GetString(flag); value != "" {
			command = append(command, "--"+flag, value)
		}
	}
	pool := &worker.Pool{Build: worker.ThisBuild(version()), Command: command, Log: log}
	return pool.Serve(cmd.Context(), listener)
}
