package synth

import (
	"context"
	"math/rand/v2"
	"strings"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/models"
	"penstock.dev/transforms/models/tokenizer"
	"penstock.dev/transforms/synth/endpoint"
)

// local completes prompts by a model of this process. Special tokens that a prompt
// spells out are taken for such, so that templates of chats can be written into it.
type local struct{ lm *models.LM }

func openLocal(ctx context.Context, ref string) (*local, error) {
	lm, err := models.Open(ctx, ref, models.Options{})
	if err != nil {
		return nil, err
	}
	return &local{lm}, nil
}

// Complete draws by the prompt, its seed and the number of the draw alone.
func (l *local) Complete(ctx context.Context, r endpoint.Request) (endpoint.Response, []endpoint.Attempt, error) {
	prompt := l.lm.Tokenizer().Encode(r.Prompt, tokenizer.WithSpecial())
	if n := len(prompt); n == 0 || n >= l.lm.Context() {
		return endpoint.Response{}, nil, transforms.Reject("too-long", "%d tokens, the model's context is %d", n, l.lm.Context())
	}
	s := models.Sampling{MaxTokens: r.MaxTokens, Temperature: r.Temperature, TopP: r.TopP, TopK: r.TopK, Random: l.random(r)}
	if len(r.Stop) > 0 {
		s.Stop = func(tokens []int32) bool {
			_, found := stopped(l.lm.Tokenizer().Decode(tokens, true), r.Stop)
			return found
		}
	}
	tokens, whole, err := l.lm.Generate(ctx, prompt, s)
	if err != nil {
		return endpoint.Response{}, nil, err
	}
	text, _ := stopped(l.lm.Tokenizer().Decode(tokens, true), r.Stop)
	finish := "length"
	if whole {
		finish = "stop"
	}
	return endpoint.Response{Text: text, Finish: finish, Usage: endpoint.Usage{In: len(prompt), Out: len(tokens)}}, []endpoint.Attempt{{Prompts: 1}}, nil
}

func (l *local) random(r endpoint.Request) *rand.Rand {
	return data.Draw(data.KeyID(r.Prompt), r.Seed, r.Draw)
}

// stopped ends a text before the first of the stops in it.
func stopped(text string, stops []string) (string, bool) {
	at := -1
	for _, s := range stops {
		if i := strings.Index(text, s); s != "" && i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at < 0 {
		return text, false
	}
	return text[:at], true
}

// Close releases the model.
func (l *local) Close() error { return l.lm.Close() }
