package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock.dev/transforms/models"
)

func modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models [REF...]",
		Short: "Describe language models: architecture, size, memory, tokenizer, hash",
		Long: `Models opens each reference and describes it. A reference is a folder as model hubs
publish them (config.json, tokenizer.json, *.safetensors), a GGUF file, or a name:
pocket is embedded in this program, smollm2 is in the cache after "make model".`,
		Example: `  penstock models pocket smollm2
  penstock models ./my-model`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"pocket"}
			}
			for i, ref := range args {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := describeModel(cmd, ref); err != nil {
					return failed(err)
				}
			}
			return nil
		},
	}
	backendFlags(cmd)
	return cmd
}

// backendFlags adds --backend and --pjrt, which take effect before the command runs.
func backendFlags(cmd *cobra.Command) {
	var b models.Backend
	cmd.Flags().StringVar(&b.Name, "backend", "", "what computes models: go, xla, or auto, which is xla where a plugin is at hand\n(default $PENSTOCK_BACKEND, else auto)")
	cmd.Flags().StringVar(&b.Plugin, "pjrt", "", "PJRT plugin for xla, options after commas (default $PENSTOCK_PJRT, else the one of \"make xla\")")
	cmd.PreRunE = func(*cobra.Command, []string) error { return models.Choose(b) }
}

func describeModel(cmd *cobra.Command, ref string) error {
	lm, err := models.Open(cmd.Context(), ref, models.Options{})
	if err != nil {
		return err
	}
	defer lm.Close()
	i := lm.Info()
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "model\t%s\n", ref)
	fmt.Fprintf(w, "architecture\t%s, %d layers, width %d, %d heads (%d key-value)\n", i.Architecture, i.Layers, i.Width, i.Heads, i.KVHeads)
	fmt.Fprintf(w, "parameters\t%.1f M\n", float64(i.Parameters)/1e6)
	fmt.Fprintf(w, "context\t%d tokens\n", i.Context)
	fmt.Fprintf(w, "tokenizer\t%s, %d tokens\n", lm.Tokenizer().Kind(), lm.Tokenizer().Size())
	fmt.Fprintf(w, "weights\t%s, %.1f MB\n", i.Format, float64(i.WeightBytes)/1e6)
	fmt.Fprintf(w, "memory\tabout %.0f MB while scoring\n", float64(i.MemoryBytes)/1e6)
	fmt.Fprintf(w, "backend\t%s\n", models.Device())
	fmt.Fprintf(w, "sha256\t%s\n", lm.Hash())
	return w.Flush()
}
