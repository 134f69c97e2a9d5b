package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"penstock.dev/data/nats"
	"penstock.dev/transforms"
	"penstock.dev/transforms/events"
)

// tapChars bounds what is shown of an event.
const tapChars = 2000

func tapCommand() *cobra.Command {
	var number int
	var every time.Duration
	var dead bool
	var work string
	cmd := &cobra.Command{
		Use:   "tap FILE NODE",
		Short: "Show the events of a stream graph as they are published",
		Long: `Tap prints the events that a node takes or publishes, from now on: a line each,
with subject and payload, cut where it is long. The graph misses none by it, and
need not run. What comes faster than it can be printed is passed over.`,
		Example: `  penstock tap graphs/examples/stream-detect answer -t nats=nats://127.0.0.1:4333 -n 10
  penstock tap graph.cue read --every 1s
  penstock tap graph.cue read --dead`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if number < 0 {
				return fmt.Errorf("-n %d: want a number of events, or 0 for no end", number)
			}
			p, err := plan(cmd, args[0])
			if err != nil {
				return err
			}
			n, ok := p.Node(args[1])
			if !ok {
				return unknownNode(p, args[1])
			}
			node, ok := n.Impl.(events.Tapped)
			if !ok {
				return failed(fmt.Errorf("node %s is a %s, which takes and publishes no events (penstock preview shows the rows of a batch)", n.Name, n.Kind.Name))
			}
			t := tap{w: cmd.OutOrStdout(), left: number, endless: number == 0, every: every}
			over, err := node.Tap(cmd.Context(), transforms.Run{Graph: p.Graph.Name, State: work}, dead, t.show)
			if over += t.over; over > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s passed over\n", counted(int(over), "event"))
			}
			return failed(err)
		},
	}
	tagFlag(cmd)
	cmd.Flags().IntVarP(&number, "events", "n", 0, "end after so many; 0 goes on until Ctrl-C")
	cmd.Flags().DurationVar(&every, "every", 0, "show at most one event in this time")
	cmd.Flags().BoolVar(&dead, "dead", false, "show the node's dead letters")
	cmd.Flags().StringVar(&work, "work", ".penstock", "folder with the streams of an embedded server")
	return cmd
}

// tap prints events.
type tap struct {
	w       io.Writer
	left    int
	endless bool
	every   time.Duration
	shown   time.Time
	over    int64
}

// show prints an event, unless it comes too soon; false ends.
func (t *tap) show(m nats.Passing) bool {
	if time.Since(t.shown) < t.every {
		t.over++
		return true
	}
	t.shown = time.Now()
	text := printable(string(m.Data))
	if reasons := m.Header[nats.HeaderReason]; len(reasons) > 0 {
		text += "  (" + printable(strings.Join(reasons, "; ")) + ")"
	}
	if _, err := fmt.Fprintf(t.w, "%s  %s\n", printable(m.Subject), text); err != nil {
		return false
	}
	t.left--
	return t.endless || t.left > 0
}

// printable is a text on one line without what a terminal would obey.
func printable(s string) string {
	cut := ""
	if len(s) > tapChars {
		s, cut = s[:tapChars], "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		s = strings.Trim(strconv.Quote(s), `"`)
	}
	return s + cut
}
