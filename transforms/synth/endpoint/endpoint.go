// Package endpoint asks servers that generate text: those with the OpenAI API
// (completions and chat), Ollama and llama.cpp's server.
//
// A Client keeps as many requests under way as the server bears, honours Retry-After
// and rate limits, tries again what may succeed, and divides a request with several
// prompts that fails until the failure costs one prompt.
package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"penstock.dev/data"
)

// Config says how a server is reached and what it bears.
type Config struct {
	API   string // Completions, Chat, Ollama or LlamaCPP
	URL   string // what the paths of the API are appended to: "http://localhost:8000/v1"
	Model string
	Key   data.Secret // sent as a bearer token; none if zero

	Timeout           time.Duration // of one request
	Attempts          int           // that a prompt has, those that meet a busy server aside
	Backoff           time.Duration // before the second attempt; it doubles up to maxBackoff
	Concurrency       int           // the most requests under way
	RequestsPerMinute int           // 0 for no limit
	TokensPerMinute   int           // prompts (estimated at bytesPerToken) and the most they may generate; 0 for no limit
	Batch             int           // prompts in a request, more than 1 for Completions alone
	BatchWait         time.Duration // how long a prompt waits for others

	// Spend, if set, is called before every request with its prompts and may refuse
	// it. What it returns is called when the request is over: known is false when the
	// server may have generated something that never arrived.
	Spend func(ctx context.Context, prompts []Request) (settle func(u Usage, known bool), err error)
}

// bytesPerToken estimates tokens that nobody has counted yet.
const bytesPerToken = 4

// Tokens estimates the tokens of a prompt.
func (r Request) Tokens() int { return (len(r.System)+len(r.Prompt))/bytesPerToken + 1 }

// Request is a prompt with the parameters of its completion.
type Request struct {
	System      string          `json:"system,omitempty"` // Chat alone
	Prompt      string          `json:"prompt"`
	MaxTokens   int             `json:"maxTokens"`
	Temperature float64         `json:"temperature"`
	TopP        float64         `json:"topP"`
	TopK        int             `json:"topK,omitempty"` // 0 for no bound
	Stop        []string        `json:"stop,omitempty"`
	Seed        int64           `json:"seed"`
	Draw        int             `json:"draw"`             // tells repetitions of a prompt apart; it is not sent
	Schema      json.RawMessage `json:"schema,omitempty"` // a JSON schema that the completion shall follow
}

// Response is a completion.
type Response struct {
	Text   string `json:"text"`
	Finish string `json:"finish"` // "stop", "length", or what else the server says
	Usage  Usage  `json:"usage"`
}

// Usage counts tokens; -1 is a number that the server does not give for one prompt.
type Usage struct {
	In  int `json:"in"`
	Out int `json:"out"`
}

// Attempt is a request that a prompt was part of.
type Attempt struct {
	Prompts int    `json:"prompts"` // in the request
	Error   string `json:"error"`   // empty if it succeeded
}

// Stats are what a client has done so far.
type Stats struct {
	Requests, Retries, Busy int64 // requests; of them those that repeat one; answers that the server is busy
	Limit                   int   // requests that may be under way now
}

// Client asks one server. Its methods may be called from several goroutines.
type Client struct {
	config   Config
	wire     wire
	key      string
	http     *http.Client
	gate     *gate
	requests *rate.Limiter
	tokens   *rate.Limiter

	asked, repeated, busy atomic.Int64

	mutex   sync.Mutex
	pending map[string]*group
	working sync.WaitGroup
}

// New makes a client; it reads the key and asks nothing.
func New(c Config) (*Client, error) {
	w, ok := wires[c.API]
	if !ok {
		return nil, fmt.Errorf("no API %q", c.API)
	}
	n := &Client{config: c, wire: w, gate: newGate(c.Concurrency), pending: map[string]*group{}}
	n.config.URL = strings.TrimRight(c.URL, "/")
	if !c.Key.IsZero() {
		var err error
		if n.key, err = c.Key.Read(); err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		if n.key == "" {
			return nil, errors.New("key: the secret is empty")
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = c.Concurrency
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	n.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	n.requests, n.tokens = limiter(c.RequestsPerMinute), limiter(c.TokensPerMinute)
	return n, nil
}

// dialTimeout is less than probeTimeout, to tell an address where nobody answers from
// a server that is slow.
const dialTimeout = 3 * time.Second

// limiter lets a tenth of a second's allowance through at once.
func limiter(perMinute int) *rate.Limiter {
	if perMinute == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(float64(perMinute)/60), max(1, perMinute/600))
}

// job is a prompt on its way.
type job struct {
	ctx      context.Context
	request  Request
	response Response
	attempts []Attempt
	err      error
	done     chan struct{}
}

// group are jobs that wait for others of the same parameters.
type group struct {
	jobs  []*job
	timer *time.Timer
}

// Complete asks for the completion of a prompt and tells of every attempt. The error
// is an *Error, or that of ctx. A prompt may share a request with others, whose
// contexts should end together.
func (c *Client) Complete(ctx context.Context, r Request) (Response, []Attempt, error) {
	j := &job{ctx: ctx, request: r, done: make(chan struct{})}
	if c.config.Batch <= 1 {
		c.serve([]*job{j})
	} else if err := c.join(j); err != nil {
		return Response{}, nil, err
	}
	<-j.done
	return j.response, j.attempts, j.err
}

// join puts a job with others that differ in the prompt alone.
func (c *Client) join(j *job) error {
	alike := j.request
	alike.Prompt = ""
	b, err := json.Marshal(alike)
	if err != nil {
		return err
	}
	name := string(b)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	g := c.pending[name]
	if g == nil {
		g = &group{}
		g.timer = time.AfterFunc(c.config.BatchWait, func() {
			c.mutex.Lock()
			defer c.mutex.Unlock()
			if c.pending[name] == g {
				c.send(name, g)
			}
		})
		c.pending[name] = g
	}
	if g.jobs = append(g.jobs, j); len(g.jobs) >= c.config.Batch {
		g.timer.Stop()
		c.send(name, g)
	}
	return nil
}

// send starts the work on a group; the mutex is held.
func (c *Client) send(name string, g *group) {
	delete(c.pending, name)
	c.working.Go(func() { c.serve(g.jobs) })
}

// Attempts that a prompt may spend on a busy server, which is no fault of its own,
// and those after which a request with several prompts is divided.
const (
	busyAttempts   = 50
	sharedAttempts = 2
)

// serve sees jobs through.
func (c *Client) serve(jobs []*job) {
	ctx := jobs[0].ctx
	failures, refusals := 0, 0
	for {
		responses, err := c.ask(ctx, jobs)
		if err == nil {
			for i, j := range jobs {
				j.finish(responses[i], nil)
			}
			return
		}
		var known *Error
		if !errors.As(err, &known) || ctx.Err() != nil {
			fail(jobs, err)
			return
		}
		if known.Class == Busy {
			refusals++
		} else {
			failures++
		}
		shared := len(jobs) > 1
		switch {
		case known.Class == RunFatal:
			fail(jobs, err)
			return
		case shared && (known.Class == RowFatal || failures >= sharedAttempts):
			half := len(jobs) / 2
			var wg sync.WaitGroup
			wg.Go(func() { c.serve(jobs[:half]) })
			c.serve(jobs[half:])
			wg.Wait()
			return
		case known.Class == RowFatal || failures >= c.config.Attempts || refusals >= busyAttempts:
			if known.unreachable {
				known.Class = RunFatal
			}
			fail(jobs, err)
			return
		}
		c.repeated.Add(1)
		if err := sleep(ctx, c.delay(jobs[0].request.Prompt, failures+refusals, known.after)); err != nil {
			fail(jobs, err)
			return
		}
	}
}

func fail(jobs []*job, err error) {
	for _, j := range jobs {
		j.finish(Response{}, err)
	}
}

func (j *job) finish(r Response, err error) {
	j.response, j.err = r, err
	close(j.done)
}

const maxBackoff = 30 * time.Second

// delay is how long to wait before the next attempt: between a half and the whole of
// a time that doubles, the same for a prompt in every run, but no less than what the
// server asks for.
func (c *Client) delay(prompt string, attempt int, asked time.Duration) time.Duration {
	d := min(c.config.Backoff<<min(attempt-1, 16), maxBackoff)
	share := float64(data.Hash(prompt, int64(attempt))>>11) / (1 << 53)
	return max(asked, time.Duration(float64(d)*(0.5+share/2)))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stats tells what the client has done so far.
func (c *Client) Stats() Stats {
	return Stats{Requests: c.asked.Load(), Retries: c.repeated.Load(), Busy: c.busy.Load(), Limit: c.gate.now()}
}

// Close waits for requests under way.
func (c *Client) Close() error {
	c.working.Wait()
	c.http.CloseIdleConnections()
	return nil
}
