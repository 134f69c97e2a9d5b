package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock.dev/data/nats"
	"penstock.dev/graphs"
	"penstock.dev/transforms"
	"penstock.dev/transforms/events"
)

// retryFlags are the flags of penstock retry.
type retryFlags struct {
	work          string
	node, classes []string
	limit         int
	list          bool
}

func retryCommand() *cobra.Command {
	var f retryFlags
	cmd := &cobra.Command{
		Use:   "retry FILE",
		Short: "Publish the dead letters of a stream graph again",
		Long: `Retry publishes the events that ended as dead letters of a graph again, as they
were, oldest first, and removes the dead letters. What an event had already given
beside the refusal, to another sink, it gives again. An event that is refused once
more becomes a dead letter with the number of retries in the header
Penstock-Retries.`,
		Example: `  penstock retry graph.cue --list
  penstock retry graph.cue --class panic --class max-deliver
  penstock retry graph.cue --node score --limit 10`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.limit < 0 {
				return fmt.Errorf("--limit %d: want a number of dead letters, or 0 for all", f.limit)
			}
			p, err := plan(cmd, args[0])
			if err != nil {
				return err
			}
			return failed(f.run(cmd.Context(), cmd.OutOrStdout(), p))
		},
	}
	tagFlag(cmd)
	cmd.Flags().StringVar(&f.work, "work", ".penstock", "folder with the streams of an embedded server")
	cmd.Flags().StringArrayVar(&f.node, "node", nil, "only what this node refused (may be repeated)")
	cmd.Flags().StringArrayVar(&f.classes, "class", nil, "only what was refused by this class (may be repeated)")
	cmd.Flags().IntVar(&f.limit, "limit", 0, "at most this many")
	cmd.Flags().BoolVar(&f.list, "list", false, "show them and publish none")
	return cmd
}

func (f *retryFlags) run(ctx context.Context, w io.Writer, p *graphs.Plan) error {
	for _, n := range p.Nodes {
		s, ok := n.Impl.(*events.Subscribe)
		if !ok {
			continue
		}
		return s.DeadLetters(ctx, transforms.Run{Graph: p.Graph.Name, State: f.work}, func(d *nats.DeadLetters) error {
			if f.list {
				return f.show(ctx, w, d)
			}
			return f.retry(ctx, w, d)
		})
	}
	return fmt.Errorf("graph %s takes no events, so it has no dead letters", p.Graph.Name)
}

// each hands on the dead letters that the flags ask for.
func (f *retryFlags) each(ctx context.Context, d *nats.DeadLetters, take func(*nats.Letter) error) error {
	taken := 0
	err := d.Each(ctx, func(l *nats.Letter) error {
		if !anyOf(f.node, l.Nodes) || !anyOf(f.classes, l.Classes) {
			return nil
		}
		if taken++; f.limit > 0 && taken > f.limit {
			return errEnough
		}
		return take(l)
	})
	if err == errEnough {
		return nil
	}
	return err
}

// anyOf reports whether one of what is there is wanted; none wants all.
func anyOf(wanted, there []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(there, func(s string) bool { return slices.Contains(wanted, s) })
}

func (f *retryFlags) show(ctx context.Context, w io.Writer, d *nats.DeadLetters) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "event\tsubject\tnode\tclass\treason")
	err := f.each(ctx, d, func(l *nats.Letter) error {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\n", l.Sequence, l.Subject, strings.Join(l.Nodes, ","), strings.Join(l.Classes, ","), strings.Join(l.Reason, "; "))
		return nil
	})
	return errors.Join(err, tw.Flush())
}

func (f *retryFlags) retry(ctx context.Context, w io.Writer, d *nats.DeadLetters) error {
	done := 0
	var refused error
	kept := 0
	err := f.each(ctx, d, func(l *nats.Letter) error {
		err := d.Retry(ctx, l)
		var r *nats.Refusal
		switch {
		case errors.As(err, &r):
			kept++
			refused = fmt.Errorf("event %d: %w", l.Sequence, err)
			return nil
		case err == nil:
			done++
		}
		return err
	})
	fmt.Fprintf(w, "%s published again\n", counted(done, "event"))
	if err == nil && kept > 0 {
		err = fmt.Errorf("%s cannot be published again, such as %w", counted(kept, "dead letter"), refused)
	}
	return err
}
