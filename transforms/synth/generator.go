package synth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/models"
	"penstock.dev/transforms/synth/endpoint"
	"penstock.dev/transforms/synth/memo"
)

// Generator says where completions come from; see specs.#Generator.
type Generator struct {
	API               string              `json:"api"`
	URL               string              `json:"url"`
	Model             string              `json:"model"`
	Key               data.Secret         `json:"key"`
	File              string              `json:"file"` // of recorded answers
	Timeout           transforms.Duration `json:"timeout"`
	Attempts          int                 `json:"attempts"`
	Backoff           transforms.Duration `json:"backoff"`
	Concurrency       int                 `json:"concurrency"`
	RequestsPerMinute int                 `json:"requestsPerMinute"`
	TokensPerMinute   int                 `json:"tokensPerMinute"`
	Batch             int                 `json:"batch"`
	BatchWait         transforms.Duration `json:"batchWait"`
	Price             Price               `json:"price"`
	Budget            Budget              `json:"budget"`
}

// The values of Generator.API beside those of endpoint.
const (
	apiRecorded = "recorded"
	apiStub     = "stub"
	apiLocal    = "local"
)

// remote reports whether the generator is a server.
func (g *Generator) remote() bool {
	return !slices.Contains([]string{apiRecorded, apiStub, apiLocal}, g.API)
}

// costs reports whether completions are worth keeping.
func (g *Generator) costs() bool { return g.remote() || g.API == apiLocal }

// mistakes lists what is wrong with the fields, without asking the server.
func (g *Generator) mistakes() error {
	var errs []error
	wrong := func(field, message, hint string) {
		errs = append(errs, &transforms.FieldError{Field: "generator." + field, Message: message, Hint: hint})
	}
	switch {
	case !g.remote() && g.URL != "":
		wrong("url", "belongs to a server, not to api "+g.API, "drop it")
	case !g.remote() && !g.Key.IsZero():
		wrong("key", "belongs to a server, not to api "+g.API, "drop it")
	case !g.remote():
	case g.URL == "":
		wrong("url", "is missing: api "+g.API+" is a server", `give its address: "http://localhost:8000/v1"`)
	default:
		u, err := url.Parse(g.URL)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			wrong("url", "is no address of a server", `write "http://localhost:8000/v1"`)
		case u.User != nil || u.RawQuery != "":
			wrong("url", "holds what may be a secret, which belongs outside of the graph", `give key: {env: "…"}`)
		}
	}
	if g.API == apiLocal && g.Model == "" {
		wrong("model", "is missing", "name a folder, a .gguf file, or smollm2")
	}
	if g.Model == "" && (g.API == endpoint.Completions || g.API == endpoint.Chat || g.API == endpoint.Ollama) {
		wrong("model", "is missing: the server of api "+g.API+" has several", "give the name it has there")
	}
	if (g.API == apiRecorded) != (g.File != "") {
		wrong("file", "belongs to api recorded, which needs it", `api: "recorded", file: "answers.jsonl"`)
	}
	if g.Key.Env != "" && g.Key.File != "" {
		wrong("key", "has both env and file", "give one of them")
	}
	if g.Batch > 1 && g.API != endpoint.Completions {
		wrong("batch", "several prompts in a request are of api completions alone", "drop it")
	}
	if g.Budget.USD > 0 && g.Price == (Price{}) {
		wrong("budget.usd", "needs prices", "give price: {input: …, output: …}")
	}
	return errors.Join(errs...)
}

// find looks for the recorded answers, or the model of this process.
func (c *completer) find() (err error) {
	switch g := c.config; g.API {
	case apiRecorded:
		if _, err := os.Stat(g.File); err != nil {
			return &transforms.FieldError{Field: "generator.file", Code: transforms.NoResource, Message: err.Error()}
		}
	case apiLocal:
		if c.identity, err = models.Check(g.Model); err != nil {
			return &transforms.FieldError{Field: "generator.model", Code: transforms.NoResource, Message: err.Error()}
		}
	}
	return nil
}

// backend completes prompts.
type backend interface {
	Complete(ctx context.Context, r endpoint.Request) (endpoint.Response, []endpoint.Attempt, error)
	Close() error
}

// completer gives the completions of a node: from its memo, or else from its backend.
type completer struct {
	config    Generator
	parseOnly bool
	memory    *memo.Memo       // nil for backends that cost nothing
	backend   backend          // nil if nothing is to be asked
	client    *endpoint.Client // the backend, if that is a server
	local     *local           // or a model of this process
	identity  string           // of the model: its name at the server, or its hash
	where     string           // folder of the memo
	ledger    *ledger
	hits      atomic.Int64

	mutex  sync.Mutex
	flying map[memo.Key]*flight
}

// flight is a request that several rows wait for.
type flight struct {
	done   chan struct{}
	answer answer
	err    error
}

// answer is a completion as the memo keeps it.
type answer struct {
	endpoint.Response
	Attempts []endpoint.Attempt `json:"attempts"`
}

// open connects. In a dry run it does not.
func (c *completer) open(ctx context.Context, run transforms.Run) (err error) {
	c.flying = map[memo.Key]*flight{}
	if c.identity == "" {
		c.identity = c.config.Model
	}
	c.ledger = newLedger(c.config.Price, c.config.Budget)
	if c.config.costs() && run.State != "" {
		c.where = filepath.Join(run.State, "memo")
	}
	switch c.config.API {
	case apiRecorded:
		c.backend, err = openRecorded(c.config.File)
		return err
	case apiStub:
		c.backend = stub{}
		return nil
	}
	if c.memory, err = memo.Open(c.where); err != nil || c.parseOnly || run.Dry {
		return err
	}
	g := c.config
	if g.API == apiLocal {
		l, err := openLocal(ctx, g.Model)
		if err == nil {
			c.backend, c.local = l, l
		}
		return err
	}
	c.client, err = endpoint.New(endpoint.Config{
		API: g.API, URL: g.URL, Model: g.Model, Key: g.Key,
		Timeout: g.Timeout.Duration, Attempts: g.Attempts, Backoff: g.Backoff.Duration, Concurrency: g.Concurrency,
		RequestsPerMinute: g.RequestsPerMinute, TokensPerMinute: g.TokensPerMinute,
		Batch: g.Batch, BatchWait: g.BatchWait.Duration, Spend: c.ledger.reserve,
	})
	if err != nil {
		return err
	}
	c.backend = c.client
	return c.client.Probe(ctx)
}

func (c *completer) close() error {
	var errs []error
	if c.backend != nil {
		errs = append(errs, c.backend.Close())
	}
	if c.memory != nil {
		errs = append(errs, c.memory.Close())
	}
	return errors.Join(errs...)
}

// question is all that an answer depends on.
type question struct {
	Version int              `json:"version"`
	API     string           `json:"api"`
	Model   string           `json:"model"`
	Request endpoint.Request `json:"request"`
}

func (c *completer) key(r endpoint.Request) (memo.Key, error) {
	return memo.KeyOf(question{1, c.config.API, c.identity, r})
}

// has reports whether a completion is kept already.
func (c *completer) has(r endpoint.Request) bool {
	if c.memory == nil {
		return false
	}
	key, err := c.key(r)
	return err == nil && c.memory.Has(key)
}

// complete gives the completion of a request. Rows that ask the same at once ask once.
// The error is fatal, rejects the row, or is that of ctx; attempts are then those
// that were made.
func (c *completer) complete(ctx context.Context, r endpoint.Request) (answer, error) {
	if c.memory == nil {
		response, attempts, err := c.backend.Complete(ctx, r)
		return answer{response, attempts}, c.explain(err)
	}
	key, err := c.key(r)
	if err != nil {
		return answer{}, err
	}
	c.mutex.Lock()
	f, flying := c.flying[key]
	if !flying {
		f = &flight{done: make(chan struct{})}
		c.flying[key] = f
	}
	c.mutex.Unlock()
	if flying {
		<-f.done
		return f.answer, f.err
	}
	f.answer, f.err = c.fetch(ctx, key, r)
	c.mutex.Lock()
	delete(c.flying, key)
	c.mutex.Unlock()
	close(f.done)
	return f.answer, f.err
}

// fetch takes an answer from the memo, or asks for it and keeps it.
func (c *completer) fetch(ctx context.Context, key memo.Key, r endpoint.Request) (answer, error) {
	var a answer
	if c.memory.Get(key, &a) {
		c.hits.Add(1)
		return a, c.ledger.recall(key, r, a.Usage)
	}
	if c.backend == nil {
		return answer{}, transforms.Reject("not-generated", "the memo in %s has no completion of this prompt", c.where)
	}
	settle := func(endpoint.Usage, bool) {}
	if c.local != nil {
		var err error
		if settle, err = c.ledger.reserve(ctx, []endpoint.Request{r}); err != nil {
			return answer{}, c.explain(err)
		}
	}
	response, attempts, err := c.backend.Complete(ctx, r)
	settle(response.Usage, true)
	a = answer{response, attempts}
	if err != nil {
		return a, c.explain(err)
	}
	c.ledger.remember(key)
	if err := c.memory.Put(key, a); err != nil {
		return a, transforms.Fatal(fmt.Errorf("the memo cannot keep what was generated: %w", err))
	}
	return a, nil
}

// explain says what an error of the backend means for the row.
func (c *completer) explain(err error) error {
	var e *endpoint.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errBudget):
		return transforms.Fatal(fmt.Errorf("%w%s; raise it and run again to go on", err, c.kept()))
	case !errors.As(err, &e):
		return err
	case e.Class == endpoint.RunFatal:
		return transforms.Fatal(fmt.Errorf("%s%s", e.Message, c.kept()))
	case e.Class == endpoint.RowFatal:
		return transforms.Reject("refused", "%s", e.Message)
	case e.Class == endpoint.Busy:
		return transforms.Reject("busy", "%s", e.Message)
	}
	return transforms.Reject("failed", "%s", e.Message)
}

// kept says what a run that ends early leaves.
func (c *completer) kept() string {
	if c.memory == nil || c.where == "" {
		return ""
	}
	return fmt.Sprintf("; %d completions are kept in %s", c.memory.Len(), c.where)
}

// stub answers with the prompt's own end, so that a graph can be tried out.
type stub struct{}

func (stub) Complete(_ context.Context, r endpoint.Request) (endpoint.Response, []endpoint.Attempt, error) {
	runes := []rune(r.Prompt)
	const most = 40
	text := fmt.Sprintf("stub %016x: %s", uint64(data.Hash(r.Prompt, r.Seed)), string(runes[max(0, len(runes)-most):]))
	return endpoint.Response{Text: text, Finish: "stop", Usage: endpoint.Usage{In: -1, Out: -1}}, nil, nil
}

func (stub) Close() error { return nil }

// Sampling says how completions are drawn; see specs.#Generate.
type Sampling struct {
	MaxTokens   int      `json:"maxTokens"`
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"topP"`
	TopK        int      `json:"topK"`
	Stop        []string `json:"stop"`
	Seed        int64    `json:"seed"`
}

// request makes the request of a draw. The seed that goes to the server is of the
// draw alone: what tells rows apart is the prompt.
func (s Sampling) request(system, prompt string, draw int, schema json.RawMessage) endpoint.Request {
	return endpoint.Request{
		System: system, Prompt: prompt, MaxTokens: s.MaxTokens, Temperature: *s.Temperature, TopP: *s.TopP, TopK: s.TopK,
		Stop: slices.Clone(s.Stop), Seed: int64(data.Hash(fmt.Sprint(draw), s.Seed) >> 33), Draw: draw, Schema: schema,
	}
}

// mistakes lists what is wrong with the fields.
func (s Sampling) mistakes() error {
	if s.TopP != nil && *s.TopP == 0 {
		return &transforms.FieldError{Field: "topP", Message: "of 0 leaves no token", Hint: "temperature: 0 takes the likeliest"}
	}
	return nil
}

// withDefaults fills in what the graph leaves out.
func (s Sampling) withDefaults(temperature, topP float64) Sampling {
	if s.Temperature == nil {
		s.Temperature = &temperature
	}
	if s.TopP == nil {
		s.TopP = &topP
	}
	return s
}
