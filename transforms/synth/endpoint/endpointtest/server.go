// Package endpointtest is a server of generated text that behaves as badly as servers
// do, and keeps a log of whom it answered.
package endpointtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock.dev/data"
)

// Options say how a server behaves. The shares are of the first answers to a prompt,
// 0 to 1 together; from its third request on a prompt is answered.
type Options struct {
	Model string // the one it has: "tiny" if empty
	Key   string // that it wants, if any

	Delay                                   time.Duration // at most, of an answer
	Busy, Broken, Hanging, Truncated, Wrong float64       // 429 with Retry-After, 500, no answer, half of one, JSON of another kind

	PerSecond  float64 // requests it bears, 0 for any; those beyond get 429 with Retry-After
	RetryAfter string  // of those
	Poison     string  // a prompt that holds it gets 400, and so do those that share its request
	Text       func(prompt string, seed int64) string
}

// Server is a server under test.
type Server struct {
	URL     string // of OpenAI's API
	options Options

	mutex     sync.Mutex
	asked     map[string]int // requests by prompt and seed
	answered  map[string]int // of them, those that were answered in full
	requests  int
	refused   int // for being too many
	allowance float64
	at        time.Time
	under     int
	most      int // requests at once
}

// Serve starts a server that ends with the test.
func Serve(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Model == "" {
		o.Model = "tiny"
	}
	if o.Text == nil {
		o.Text = func(prompt string, seed int64) string { return "an answer " + Mark(prompt, seed) }
	}
	s := &Server{options: o, asked: map[string]int{}, answered: map[string]int{}, at: time.Now(), allowance: o.PerSecond}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", s.guard(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"data": [{"id": %q}]}`, o.Model)
	}))
	mux.HandleFunc("POST /v1/completions", s.guard(s.complete))
	mux.HandleFunc("POST /v1/chat/completions", s.guard(s.complete))
	server := httptest.NewServer(mux)
	s.URL = server.URL + "/v1"
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// Behave makes the server misbehave as the options say from now on, and begins its log
// anew. Model, key, poison and texts stay.
func (s *Server) Behave(o Options) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	o.Model, o.Key, o.Poison, o.Text = s.options.Model, s.options.Key, s.options.Poison, s.options.Text
	s.options = o
	s.asked, s.answered = map[string]int{}, map[string]int{}
}

// Mark names a prompt with its seed in a text made for it.
func Mark(prompt string, seed int64) string { return fmt.Sprintf("q%016x", data.Hash(prompt, seed)) }

// Answered tells how often each mark was answered in full.
func (s *Server) Answered() map[string]int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	all := map[string]int{}
	for mark, n := range s.answered {
		all[mark] = n
	}
	return all
}

// Counts are the requests, those refused for being too many, and the most at once.
func (s *Server) Counts() (requests, refused, most int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.requests, s.refused, s.most
}

func (s *Server) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.options.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.options.Key {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error": {"message": "no such key: %s"}}`, r.Header.Get("Authorization"))
			return
		}
		s.mutex.Lock()
		s.under++
		s.most = max(s.most, s.under)
		s.mutex.Unlock()
		defer func() {
			s.mutex.Lock()
			s.under--
			s.mutex.Unlock()
		}()
		next(w, r)
	}
}

// allow takes a request off the allowance, which is that of a second at most.
func (s *Server) allow() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.requests++
	if s.options.PerSecond == 0 {
		return true
	}
	now := time.Now()
	s.allowance = min(s.options.PerSecond, s.allowance+now.Sub(s.at).Seconds()*s.options.PerSecond)
	s.at = now
	if s.allowance < 1 {
		s.refused++
		return false
	}
	s.allowance--
	return true
}

// request is what OpenAI's APIs take.
type request struct {
	Model    string
	Prompt   json.RawMessage
	Messages []struct{ Role, Content string }
	Seed     int64
}

func (r *request) prompts() []string {
	var one string
	var all []string
	switch {
	case len(r.Messages) > 0:
		return []string{r.Messages[len(r.Messages)-1].Content}
	case json.Unmarshal(r.Prompt, &one) == nil:
		return []string{one}
	case json.Unmarshal(r.Prompt, &all) == nil:
		return all
	}
	return nil
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	if !s.allow() {
		w.Header().Set("Retry-After", s.options.RetryAfter)
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	var q request
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.Model != s.options.Model {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error": {"message": "no model %s", "code": "model_not_found"}}`, q.Model)
		return
	}
	prompts := q.prompts()
	for _, p := range prompts {
		if s.options.Poison != "" && strings.Contains(p, s.options.Poison) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error": {"message": "the prompt\nis poisoned"}}`)
			return
		}
	}
	if s.misbehave(w, r, prompts[0], q.Seed) {
		return
	}
	body := s.body(prompts, q.Seed, len(q.Messages) > 0)
	if _, err := w.Write(body); err != nil {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, p := range prompts {
		s.answered[Mark(p, q.Seed)]++
	}
}

// misbehave does with a request what the options say, and reports whether that was
// all.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, prompt string, seed int64) bool {
	mark := Mark(prompt, seed)
	s.mutex.Lock()
	s.asked[mark]++
	nth, o := s.asked[mark], s.options
	s.mutex.Unlock()
	draw := data.Draw(data.KeyID(mark), 0, nth)
	if o.Delay > 0 {
		select {
		case <-time.After(time.Duration(draw.Float64() * float64(o.Delay))):
		case <-r.Context().Done():
			return true
		}
	}
	if nth > 2 {
		return false
	}
	share := draw.Float64()
	under := func(part float64) bool {
		share -= part
		return share < 0
	}
	switch {
	case under(o.Busy):
		w.Header().Set("Retry-After", "0.05")
		w.WriteHeader(http.StatusTooManyRequests)
	case under(o.Broken):
		w.WriteHeader(http.StatusInternalServerError)
	case under(o.Hanging):
		<-r.Context().Done()
	case under(o.Truncated):
		body := s.body([]string{prompt}, seed, false)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body[:len(body)/2])
	case under(o.Wrong):
		fmt.Fprint(w, `{"choices": [], "sorry": true}`)
	default:
		return false
	}
	return true
}

func (s *Server) body(prompts []string, seed int64, chat bool) []byte {
	type choice map[string]any
	var choices []choice
	in, out := 0, 0
	for i, p := range prompts {
		text := s.options.Text(p, seed)
		c := choice{"index": i, "finish_reason": "stop"}
		if c["text"] = text; chat {
			c["message"] = map[string]string{"role": "assistant", "content": text}
			delete(c, "text")
		}
		choices = append(choices, c)
		in, out = in+len(p)/4, out+len(text)/4
	}
	b, err := json.Marshal(map[string]any{"choices": choices, "usage": map[string]int{"prompt_tokens": in, "completion_tokens": out}})
	if err != nil {
		panic(err)
	}
	return b
}
