package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"penstock.dev/transforms/models"
)

// release is set by the build: -ldflags "-X main.release=v1.2.3".
var release = "devel"

// version names the build: the release, or the revision it was built from.
func version() string {
	if release != "devel" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return release + "+" + s.Value[:min(12, len(s.Value))]
		}
	}
	return release
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version and what is built in",
		Example: "  penstock version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "penstock %s, %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if simd() {
				fmt.Fprintln(w, "models: pure Go, with SIMD kernels")
			} else {
				fmt.Fprintln(w, "models: pure Go, without SIMD kernels (several times slower: build with GOEXPERIMENT=simd)")
			}
			if models.XLABuilt {
				fmt.Fprintf(w, "XLA: built in, %s\n", models.Plugin())
			} else {
				fmt.Fprintln(w, "XLA: not built in (make xla)")
			}
			return nil
		},
	}
}

// simd reports whether the build has the vector kernels.
func simd() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "GOEXPERIMENT" {
			return strings.Contains(s.Value, "simd")
		}
	}
	return strings.Contains(runtime.Version(), "simd")
}
