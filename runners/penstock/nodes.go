package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock.dev/specs"
)

func nodesCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "nodes [KIND]",
		Short: "List the kinds of nodes, or describe one",
		Long:  "Nodes prints the reference of the kinds, made from the schema that checks graphs.",
		Example: `  penstock nodes
  penstock nodes Lastde
  penstock nodes --markdown > reference.md`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if len(args) == 0 {
				if markdown {
					return failed(writeReference(w))
				}
				return failed(listKinds(w))
			}
			kind, err := findKind(args[0])
			if err != nil {
				return err
			}
			if markdown {
				return failed(writeKind(w, kind))
			}
			return failed(describeKind(w, kind))
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print Markdown, as the documentation has it")
	return cmd
}

func kindNames() []string {
	var names []string
	for _, k := range specs.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

func findKind(name string) (specs.KindDoc, error) {
	for _, k := range specs.Kinds() {
		if strings.EqualFold(k.Name, name) {
			return k, nil
		}
	}
	return specs.KindDoc{}, fmt.Errorf("no kind named %s (penstock nodes lists them)", name)
}

func listKinds(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	family := ""
	for _, k := range specs.Kinds() {
		if k.Family != family {
			family = k.Family
			fmt.Fprintf(t, "%s\n", family)
		}
		fmt.Fprintf(t, "  %s\t%s\n", k.Name, firstSentence(k.Doc))
	}
	return t.Flush()
}

func describeKind(w io.Writer, k specs.KindDoc) error {
	fmt.Fprintf(w, "%s (%s, %s)\n\n%s\n\n", k.Name, k.Family, k.Role, indent(k.Doc))
	if len(k.Inputs) > 0 {
		fmt.Fprintf(w, "  takes  %s\n", strings.Join(k.Inputs, ", "))
	}
	if len(k.Outputs) > 0 {
		fmt.Fprintf(w, "  gives  %s\n", strings.Join(k.Outputs, ", "))
	}
	for _, f := range k.Fields {
		fmt.Fprintf(w, "\n  %s: %s%s\n%s\n", f.Name, f.Type, given(f), indent(indent(f.Doc)))
	}
	return nil
}

// given says whether a field must be given, and what it is otherwise.
func given(f specs.FieldDoc) string {
	switch {
	case f.Required:
		return ", required"
	case f.Default != "":
		return ", default " + f.Default
	}
	return ""
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ")
}

func firstSentence(doc string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	if i := strings.Index(doc, ". "); i > 0 {
		return doc[:i+1]
	}
	return doc
}

func writeReference(w io.Writer) error {
	fmt.Fprint(w, "# Kinds of nodes\n\nMade by `penstock nodes --markdown` from the schema that checks graphs.\n")
	family := ""
	for _, k := range specs.Kinds() {
		if k.Family != family {
			family = k.Family
			fmt.Fprintf(w, "\n## %s\n", family)
		}
		fmt.Fprintln(w)
		if err := writeKind(w, k); err != nil {
			return err
		}
	}
	return nil
}

func writeKind(w io.Writer, k specs.KindDoc) error {
	fmt.Fprintf(w, "### %s\n\n%s\n\n", k.Name, strings.TrimSpace(k.Doc))
	if len(k.Inputs) > 0 {
		fmt.Fprintf(w, "Takes `%s`. ", strings.Join(k.Inputs, "`, `"))
	}
	if len(k.Outputs) > 0 {
		fmt.Fprintf(w, "Gives `%s`.", strings.Join(k.Outputs, "`, `"))
	}
	fmt.Fprint(w, "\n\n| field | type | default | |\n|---|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	for _, f := range k.Fields {
		value := "`" + f.Default + "`"
		if f.Required {
			value = "required"
		} else if f.Default == "" {
			value = ""
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", f.Name, cell.Replace(f.Type), cell.Replace(value), cell.Replace(strings.TrimSpace(f.Doc)))
	}
	return nil
}
