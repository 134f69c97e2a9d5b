package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"penstock.dev/specs"
)

//go:embed templates/*.cue
var templates embed.FS

// defaultTemplate is what init writes when it is not told.
const defaultTemplate = "detect-text"

func initCommand() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "init [TEMPLATE]",
		Short: "Write a graph to start from, and the schema for editors",
		Long: `Init writes graph.cue from a template and the schema below cue.mod, so that
"cue vet" and the CUE language server work on the graph. It overwrites no graph;
in a folder that has one it brings the schema up to date.

Templates: ` + strings.Join(templateNames(), ", "),
		Example: `  penstock init
  penstock init evaluate --dir my-evaluation`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(templateNames(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := defaultTemplate
			if len(args) == 1 {
				name = args[0]
			}
			text, err := templates.ReadFile("templates/" + name + ".cue")
			if err != nil {
				return fmt.Errorf("no template named %s (there are %s)", name, strings.Join(templateNames(), ", "))
			}
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return failed(err)
			}
			if err := specs.Vendor(folder); err != nil {
				return failed(err)
			}
			path := filepath.Join(folder, "graph.cue")
			switch err := writeNew(path, text); {
			case errors.Is(err, fs.ErrExist) && len(args) == 0:
				fmt.Fprintf(cmd.OutOrStdout(), "%s is there already; the schema below cue.mod is up to date\n", path)
				return nil
			case errors.Is(err, fs.ErrExist):
				return failed(fmt.Errorf("%s is there already: choose another folder with --dir", path))
			case err != nil:
				return failed(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "wrote %s and the schema below cue.mod\nnext: edit the paths, then penstock check %s\n", path, path)
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "dir", ".", "folder to write to")
	return cmd
}

func templateNames() []string {
	entries, err := templates.ReadDir("templates")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".cue"))
	}
	slices.Sort(names)
	return names
}

// writeNew writes a file that must not exist.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
