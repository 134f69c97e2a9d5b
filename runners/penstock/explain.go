package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"penstock.dev/specs"
)

func explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "explain [CODE]",
		Short:             "Explain a diagnostic: cause, example, cure",
		Example:           "  penstock explain P301",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(specs.Codes(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, code := range specs.Codes() {
					text, _ := specs.Explain(code)
					title, _, _ := strings.Cut(text, "\n")
					fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", code, title)
				}
				return nil
			}
			text, ok := specs.Explain(strings.ToUpper(args[0]))
			if !ok {
				return fmt.Errorf("no diagnostic has the code %s (penstock explain lists them)", args[0])
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(text))
			return nil
		},
	}
}
