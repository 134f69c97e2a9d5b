package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock.dev/transforms/models"
	"penstock.dev/transforms/models/tokenizer"
)

func modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models [REF...]",
		Short: "Describe and test models: architecture, size, memory, tokenizer, hash",
		Long: `Models opens each reference, describes it and runs a few rows through it, alone and
together. A reference is a folder as model hubs publish them (config.json,
tokenizer.json, *.safetensors), of a language model, a text encoder or a vision encoder;
a GGUF file; or a name: pocket is embedded in this program, smollm2 and minilm are in the
cache after "make models".`,
		Example: `  penstock models pocket smollm2 minilm
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

// openModel is a model of any family.
type openModel interface {
	Info() models.Info
	Hash() string
	SelfTest(ctx context.Context) error
	Close() error
}

// open opens a model and says what it takes in.
func open(ctx context.Context, ref string) (m openModel, family models.Family, input []string, err error) {
	family = models.FamilyOf(ref)
	tokens := func(t *tokenizer.Tokenizer, context int) []string {
		return []string{fmt.Sprintf("context\t%d tokens", context), fmt.Sprintf("tokenizer\t%s, %d tokens", t.Kind(), t.Size())}
	}
	switch family {
	case models.TextEncoder:
		e, err := models.OpenEncoder(ctx, ref, models.EncoderOptions{})
		if err != nil {
			return nil, family, nil, err
		}
		return e, family, append(tokens(e.Tokenizer(), e.Context()), fmt.Sprintf("pooling\t%s", e.Pooling())), nil
	case models.VisionEncoder:
		v, err := models.OpenVision(ctx, ref, models.VisionOptions{})
		if err != nil {
			return nil, family, nil, err
		}
		return v, family, []string{fmt.Sprintf("images\t%d patches of %d by %d pixels as trained", v.Info().Context, v.PatchSize(), v.PatchSize())}, nil
	}
	lm, err := models.Open(ctx, ref, models.Options{})
	if err != nil {
		return nil, family, nil, err
	}
	return lm, family, tokens(lm.Tokenizer(), lm.Context()), nil
}

func describeModel(cmd *cobra.Command, ref string) error {
	m, family, input, err := open(cmd.Context(), ref)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.SelfTest(cmd.Context()); err != nil {
		return fmt.Errorf("model %s: %w", ref, err)
	}
	i := m.Info()
	heads := fmt.Sprint(i.Heads, " heads")
	if i.KVHeads != i.Heads {
		heads += fmt.Sprintf(" (%d key-value)", i.KVHeads)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "model\t%s, a %s\n", ref, family)
	fmt.Fprintf(w, "architecture\t%s, %d layers, width %d, %s\n", i.Architecture, i.Layers, i.Width, heads)
	fmt.Fprintf(w, "parameters\t%.1f M\n", float64(i.Parameters)/1e6)
	for _, line := range input {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "weights\t%s, %.1f MB\n", i.Format, float64(i.WeightBytes)/1e6)
	fmt.Fprintf(w, "memory\tabout %.0f MB while working\n", float64(i.MemoryBytes)/1e6)
	fmt.Fprintf(w, "backend\t%s\n", models.Device())
	fmt.Fprintf(w, "self-test\tpassed: rows give the same alone and together\n")
	fmt.Fprintf(w, "sha256\t%s\n", m.Hash())
	return w.Flush()
}
