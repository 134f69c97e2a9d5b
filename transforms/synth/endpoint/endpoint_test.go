package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms/synth/endpoint/endpointtest"
)

func client(t testing.TB, c Config) *Client {
	t.Helper()
	defaults := Config{API: Completions, Model: "tiny", Timeout: 300 * time.Millisecond, Attempts: 5, Backoff: time.Millisecond, Concurrency: 16, Batch: 1, BatchWait: 5 * time.Millisecond}
	defaults.URL, defaults.Key, defaults.Spend = c.URL, c.Key, c.Spend
	if c.API != "" {
		defaults.API = c.API
	}
	if c.Model != "" {
		defaults.Model = c.Model
	}
	if c.Batch > 0 {
		defaults.Batch = c.Batch
	}
	if c.Concurrency > 0 {
		defaults.Concurrency = c.Concurrency
	}
	defaults.RequestsPerMinute = c.RequestsPerMinute
	n, err := New(defaults)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// all asks for n prompts at once and returns what came of each.
func all(t testing.TB, c *Client, n int, prompt func(int) string) (responses []Response, attempts [][]Attempt, errs []error) {
	t.Helper()
	responses, attempts, errs = make([]Response, n), make([][]Attempt, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			responses[i], attempts[i], errs[i] = c.Complete(t.Context(), Request{Prompt: prompt(i), MaxTokens: 8, TopP: 1})
		})
	}
	wg.Wait()
	return responses, attempts, errs
}

// Every API's request and answer, as its documentation shows them.
func TestWires(t *testing.T) {
	r := Request{System: "be kind", Prompt: "Hello", MaxTokens: 9, Temperature: 0.5, TopP: 0.9, TopK: 3, Stop: []string{"\n"}, Seed: 7, Schema: json.RawMessage(`{"type":"object"}`)}
	for _, c := range []struct{ api, path, body, answer, text, finish string }{
		{Completions, "/completions", `{"model":"tiny","prompt":"Hello","max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop":["\n"],"seed":7,"response_format":{"json_schema":{"name":"completion","schema":{"type":"object"}},"type":"json_schema"}}`,
			`{"id":"x","choices":[{"index":0,"text":" world","finish_reason":"length","logprobs":null}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`, " world", "length"},
		{Chat, "/chat/completions", `{"model":"tiny","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"Hello"}],"max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop":["\n"],"seed":7,"response_format":{"json_schema":{"name":"completion","schema":{"type":"object"}},"type":"json_schema"}}`,
			`{"choices":[{"index":0,"message":{"role":"assistant","content":" world"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`, " world", "stop"},
		{Ollama, "/api/generate", `{"model":"tiny","prompt":"Hello","raw":true,"stream":false,"format":{"type":"object"},"options":{"num_predict":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop":["\n"],"seed":7}}`,
			`{"model":"tiny","response":" world","done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}`, " world", "stop"},
		{LlamaCPP, "/completion", `{"prompt":"Hello","n_predict":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop":["\n"],"seed":7,"stream":false,"cache_prompt":false,"json_schema":{"type":"object"}}`,
			`{"content":" world","stop_type":"limit","tokens_evaluated":3,"tokens_predicted":4}`, " world", "length"},
	} {
		t.Run(c.api, func(t *testing.T) {
			var path, body string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var b json.RawMessage
				if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
					t.Error(err)
				}
				path, body = r.URL.Path, string(b)
				fmt.Fprint(w, c.answer)
			}))
			defer s.Close()
			got, attempts, err := client(t, Config{API: c.api, URL: s.URL + "/"}).Complete(t.Context(), r)
			if err != nil || got != (Response{c.text, c.finish, Usage{3, 4}}) || len(attempts) != 1 {
				t.Errorf("response %+v, attempts %v, %v", got, attempts, err)
			}
			if path != c.path || body != c.body {
				t.Errorf("%s\n%s\nwant %s\n%s", path, body, c.path, c.body)
			}
		})
	}
}

// However badly a server behaves, every prompt gets its own answer, and none is asked
// for that was answered.
func TestHostileServer(t *testing.T) {
	s := endpointtest.Serve(t, endpointtest.Options{Delay: 5 * time.Millisecond, Busy: .1, Broken: .1, Hanging: .05, Truncated: .1, Wrong: .1, Poison: "bad"})
	c := client(t, Config{URL: s.URL})
	const n = 150
	prompt := func(i int) string {
		if i%50 == 13 {
			return fmt.Sprintf("a bad prompt %d", i)
		}
		return fmt.Sprintf("prompt %d", i)
	}
	responses, attempts, errs := all(t, c, n, prompt)
	for i := range n {
		if i%50 == 13 {
			var e *Error
			if !errors.As(errs[i], &e) || e.Class != RowFatal || !strings.Contains(e.Message, "the prompt is poisoned") || len(attempts[i]) != 1 {
				t.Errorf("poisoned prompt: %v after %v", errs[i], attempts[i])
			}
			continue
		}
		if errs[i] != nil || responses[i].Text != "an answer "+endpointtest.Mark(prompt(i), 0) {
			t.Errorf("prompt %d: %q, %v", i, responses[i].Text, errs[i])
		}
		for k, a := range attempts[i] {
			if (a.Error == "") != (k == len(attempts[i])-1) {
				t.Errorf("prompt %d: attempts %v", i, attempts[i])
			}
		}
	}
	for mark, times := range s.Answered() {
		if times > 1 {
			t.Errorf("%s was answered %d times", mark, times)
		}
	}
}

// A prompt that spoils its request costs itself alone, by few requests.
func TestPoisonInABatchCostsOnePrompt(t *testing.T) {
	s := endpointtest.Serve(t, endpointtest.Options{Poison: "bad"})
	c := client(t, Config{URL: s.URL, Batch: 32})
	prompt := func(i int) string {
		if i == 21 {
			return "bad"
		}
		return fmt.Sprint("prompt ", i)
	}
	responses, _, errs := all(t, c, 64, prompt)
	for i := range 64 {
		if (errs[i] != nil) != (i == 21) || errs[i] == nil && responses[i].Text != "an answer "+endpointtest.Mark(prompt(i), 0) {
			t.Errorf("prompt %d: %q, %v", i, responses[i].Text, errs[i])
		}
	}
	// One whole request, and a path of halves down from the other: 32, 16, 8, 4, 2, 1.
	if requests, _, _ := s.Counts(); requests != 1+1+2*5 {
		t.Errorf("%d requests", requests)
	}
}

// A server that breaks on one prompt of a batch costs that prompt too.
func TestCrashInABatchCostsOnePrompt(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Prompt any }
		json.NewDecoder(r.Body).Decode(&q)
		if strings.Contains(fmt.Sprint(q.Prompt), "bad") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		prompts, several := q.Prompt.([]any)
		if !several {
			prompts = []any{q.Prompt}
		}
		var choices []map[string]any
		for i := range prompts {
			choices = append([]map[string]any{{"index": i, "text": fmt.Sprint("to ", prompts[i])}}, choices...)
		}
		json.NewEncoder(w).Encode(map[string]any{"choices": choices})
	}))
	defer s.Close()
	responses, _, errs := all(t, client(t, Config{URL: s.URL, Batch: 8}), 8, func(i int) string {
		return []string{"a", "b", "c", "bad", "e", "f", "g", "h"}[i]
	})
	for i, err := range errs {
		if (err != nil) != (i == 3) || err == nil && responses[i].Text != "to "+string(rune('a'+i)) {
			t.Errorf("prompt %d: %q, %v", i, responses[i].Text, err)
		}
	}
}

// What no prompt would survive is said at once, on one line, without the key.
func TestRunFatalErrors(t *testing.T) {
	const key = "s3cr3t-key-of-the-test"
	t.Setenv("ENDPOINT_TEST_KEY", key)
	guarded := endpointtest.Serve(t, endpointtest.Options{Key: "another"})
	open := endpointtest.Serve(t, endpointtest.Options{})
	moved := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusMovedPermanently))
	defer moved.Close()
	broke := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}}`)
	}))
	defer broke.Close()
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"wrong key", Config{URL: guarded.URL, Key: data.Secret{Env: "ENDPOINT_TEST_KEY"}}, "401 Unauthorized: no such key: Bearer [key] (the server wants another key)"},
		{"no key", Config{URL: guarded.URL}, `(the server wants a key: {env: "…"} or {file: "…"})`},
		{"refused", Config{URL: "http://127.0.0.1:1/v1"}, "connection refused"},
		{"no such host", Config{URL: "http://nowhere.invalid/v1"}, "nowhere.invalid"},
		{"no TLS", Config{URL: strings.Replace(open.URL, "http:", "https:", 1)}, "HTTP response to HTTPS client"},
		{"unknown model", Config{URL: open.URL, Model: "huge"}, `has no model "huge" (it has tiny)`},
		{"wrong path", Config{URL: strings.TrimSuffix(open.URL, "/v1")}, `404 Not Found: 404 page not found (check url, api and model "tiny")`},
		{"moved", Config{URL: moved.URL}, "(give the url it leads to: /elsewhere)"},
		{"no quota", Config{URL: broke.URL}, "You exceeded your current quota (the account has no quota left)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			n := client(t, c.config)
			err := n.Probe(t.Context())
			if err == nil {
				_, _, err = n.Complete(t.Context(), Request{Prompt: "x", MaxTokens: 1, TopP: 1})
			}
			var e *Error
			if !errors.As(err, &e) || e.Class != RunFatal || !strings.Contains(e.Message, c.want) || strings.ContainsAny(e.Message, "\n\r") || strings.Contains(e.Message, key) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A server that is slow, or broken for a moment, is no reason to give up before the
// first prompt.
func TestProbeLeavesTheRestToThePrompts(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusNotFound} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		if err := client(t, Config{URL: s.URL}).Probe(t.Context()); err != nil {
			t.Errorf("status %d: %v", status, err)
		}
		s.Close()
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "-1": 0, "nonsense": 0, "NaN": 0, "7": 7 * time.Second, "0.25": 250 * time.Millisecond, "1e9": maxPause, "+Inf": maxPause,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// The server's wish is honoured by all requests, not only the one it was said to.
func TestRetryAfterHoldsEveryone(t *testing.T) {
	var first, early atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().UnixNano()
		if first.CompareAndSwap(0, now) {
			w.Header().Set("Retry-After", "0.3")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		if since := time.Duration(now - first.Load()); since > 50*time.Millisecond && since < 290*time.Millisecond {
			early.Add(1)
		}
		time.Sleep(20 * time.Millisecond)
		fmt.Fprint(w, `{"choices":[{"index":0,"text":"x"}]}`)
	}))
	defer s.Close()
	_, _, errs := all(t, client(t, Config{URL: s.URL, Concurrency: 4}), 40, func(i int) string { return fmt.Sprint(i) })
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := early.Load(); n > 0 {
		t.Errorf("%d requests came before the time", n)
	}
}

// A client makes use of at least nine tenths of what a server allows, whether it is
// told how much that is or finds out. On a machine that does other work the short form
// is content with less.
func TestThroughputIsWhatTheServerAllows(t *testing.T) {
	const rate, n = 200, 300
	least := 0.6
	if os.Getenv("PENSTOCK_LONG") != "" {
		least = 0.9
	}
	for _, told := range []bool{true, false} {
		s := endpointtest.Serve(t, endpointtest.Options{PerSecond: rate, RetryAfter: "1", Delay: 10 * time.Millisecond})
		config := Config{URL: s.URL, Concurrency: 64}
		if told {
			config.RequestsPerMinute = rate * 60
		}
		began := time.Now()
		_, _, errs := all(t, client(t, config), n, func(i int) string { return fmt.Sprint(i) })
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		took := time.Since(began).Seconds()
		requests, refused, most := s.Counts()
		allowed := min(n, rate*(1+took)) // a second's allowance is there at the start
		if told {
			allowed = min(n, rate*took)
		}
		t.Logf("told %v: %d of %.0f allowed in %.2f s (%.0f %%); %d requests, %d refused, %d at once", told, n, allowed, took, 100*n/allowed, requests, refused, most)
		if n < least*allowed {
			t.Errorf("told %v: %d prompts took %.2f s", told, n, took)
		}
	}
}

// A request under way when its context ends is seen through for a moment: it may have
// to be paid for.
func TestCancelledRequestsLinger(t *testing.T) {
	started := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		time.Sleep(100 * time.Millisecond)
		fmt.Fprint(w, `{"choices":[{"index":0,"text":"paid"}]}`)
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	r, _, err := client(t, Config{URL: s.URL}).Complete(ctx, Request{Prompt: "x", MaxTokens: 1, TopP: 1})
	if err != nil || r.Text != "paid" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAnswerWithoutEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("x", 1<<20))
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	c := client(t, Config{URL: s.URL})
	c.config.Timeout = 10 * time.Second
	_, _, err := c.Complete(t.Context(), Request{Prompt: "x", MaxTokens: 1, TopP: 1})
	var e *Error
	if !errors.As(err, &e) || e.Class != RowFatal || !strings.Contains(e.Message, "longer than 16 MiB") {
		t.Errorf("error %v", err)
	}
}

// No answer makes a reader panic or give fewer completions than prompts.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"text":"x","finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"response":"x","done":true}`))
	f.Add([]byte(`{"content":"x","stop_type":"eos"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, w := range wires {
			for prompts := 1; prompts <= 2; prompts++ {
				if r, _, err := w.read(b, prompts); err == nil && len(r) != prompts && (name == Completions || prompts == 1) {
					t.Errorf("%s: %d completions of %d", name, len(r), prompts)
				}
			}
			w.names(b)
		}
		errorOf(b)
	})
}
