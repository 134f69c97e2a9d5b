package synth

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/synth/endpoint"
)

// recorded answers from a file of JSON Lines: prompt, draw, completion, and where
// known finish_reason, tokens_in and tokens_out. It is what WriteJSONL makes of the
// output of Generate with keepPrompt.
type recorded struct {
	file    string
	answers map[asked]endpoint.Response
}

// asked is a prompt's hash and the number of a draw.
type asked struct {
	prompt [2]uint64
	draw   int
}

func askedFor(prompt string, draw int) asked {
	return asked{[2]uint64{data.Hash(prompt, 1), data.Hash(prompt, 2)}, draw}
}

func openRecorded(file string) (*recorded, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := &recorded{file: file, answers: map[asked]endpoint.Response{}}
	r := bufio.NewReader(f)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(line) > 0 {
			if bad := b.add(line); bad != nil {
				return nil, fmt.Errorf("%s: line %d: %w", file, number, bad)
			}
		}
		if err == io.EOF {
			return b, nil
		}
	}
}

func (b *recorded) add(line []byte) error {
	var a struct {
		Prompt     *string `json:"prompt"`
		Draw       int     `json:"draw"`
		Completion *string `json:"completion"`
		Finish     string  `json:"finish_reason"`
		In         *int    `json:"tokens_in"`
		Out        *int    `json:"tokens_out"`
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return err
	}
	if a.Prompt == nil || a.Completion == nil {
		return fmt.Errorf("no prompt and completion")
	}
	u := endpoint.Usage{In: -1, Out: -1}
	if a.In != nil && a.Out != nil {
		u = endpoint.Usage{In: *a.In, Out: *a.Out}
	}
	b.answers[askedFor(*a.Prompt, a.Draw)] = endpoint.Response{Text: *a.Completion, Finish: a.Finish, Usage: u}
	return nil
}

// Complete finds the answer.
func (b *recorded) Complete(_ context.Context, r endpoint.Request) (endpoint.Response, []endpoint.Attempt, error) {
	a, ok := b.answers[askedFor(r.Prompt, r.Draw)]
	if !ok {
		return a, nil, transforms.Reject("unrecorded", "%s has no completion %d of this prompt", b.file, r.Draw)
	}
	return a, nil, nil
}

func (*recorded) Close() error { return nil }
