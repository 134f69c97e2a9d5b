package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"penstock.dev/runners"
)

// engineFlags say where a graph is run.
type engineFlags struct {
	runners.Engine
	options []string
}

func (f *engineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Runner, "runner", runners.Prism, "prism (this process), flink, or universal (any Beam job service)")
	cmd.Flags().StringVar(&f.Endpoint, "endpoint", "", "host:port of the job service")
	cmd.Flags().StringVar(&f.Workers, "workers", "localhost:50000", "host:port of penstock worker, as each machine of the cluster sees it")
	cmd.Flags().IntVar(&f.Parallelism, "parallelism", 1, "slots of the cluster to work in")
	cmd.Flags().StringVar(&f.Dashboard, "dashboard", "", "host:port of Flink's REST interface, to be told of full slots and missing workers")
	cmd.Flags().StringArrayVar(&f.options, "option", nil, "further option of the runner: name=value, the value as JSON or text (may be repeated)")
}

// check says what is wrong with the flags.
func (f *engineFlags) check() error {
	switch f.Runner {
	case runners.Prism:
		if f.Endpoint != "" {
			return fmt.Errorf("--endpoint %s: the runner prism has none (want --runner flink or universal)", f.Endpoint)
		}
		return nil
	case runners.Flink, runners.Universal:
	default:
		return fmt.Errorf("--runner %s: want prism, flink or universal", f.Runner)
	}
	for _, address := range []struct{ flag, value string }{{"endpoint", f.Endpoint}, {"workers", f.Workers}, {"dashboard", f.Dashboard}} {
		if _, _, err := net.SplitHostPort(address.value); err != nil && (address.value != "" || address.flag != "dashboard") {
			return fmt.Errorf("--%s %q: want host:port", address.flag, address.value)
		}
	}
	if f.Parallelism < 1 {
		return fmt.Errorf("--parallelism %d: want a number of slots, at least 1", f.Parallelism)
	}
	return f.parseOptions()
}

func (f *engineFlags) parseOptions() error {
	f.Options = map[string]any{}
	for _, option := range f.options {
		name, text, ok := strings.Cut(option, "=")
		if !ok || name == "" {
			return fmt.Errorf("--option %s: want name=value", option)
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		f.Options[name] = value
	}
	return nil
}
