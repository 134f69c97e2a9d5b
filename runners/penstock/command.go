package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// newCommand is the root command with everything below it.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "penstock",
		Short:         "Model-in-the-loop data work as checked graphs",
		Long:          "Penstock checks graphs written in CUE, draws them and runs them as Apache Beam\npipelines: on this machine, with nothing else installed, or on a Flink cluster.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.PersistentFlags().CountP("verbose", "v", "log more; twice includes the engine's own log")
	root.PersistentFlags().String("log-format", "text", "form of the log on standard error: text or json")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if format, _ := cmd.Flags().GetString("log-format"); format != "text" && format != "json" {
			return fmt.Errorf("--log-format %s: want text or json", format)
		}
		return nil
	}
	root.AddCommand(
		checkCommand(), lintCommand(), fmtCommand(), evalCommand(), testCommand(), runCommand(), runsCommand(), previewCommand(), graphCommand(),
		nodesCommand(), explainCommand(), newGraphCommand(), initCommand(),
		inspectCommand(), modelsCommand(), calibrateCommand(), serveCommand(), retryCommand(), workerCommand(), equalCommand(), tapCommand(), versionCommand(),
	)
	return root
}

// logger logs to standard error as the flags ask.
func logger(cmd *cobra.Command) *slog.Logger {
	verbose, _ := cmd.Flags().GetCount("verbose")
	format, _ := cmd.Flags().GetString("log-format")
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose > 0 {
		options.Level = slog.LevelDebug
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), options))
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options))
}

// isTerminal reports whether w is a terminal that a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// terminalWidth is the number of columns of w, 80 if it is no terminal.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}
