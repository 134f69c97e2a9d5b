package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Class says what an error means for what comes after it.
type Class int

// The classes of errors.
const (
	Retryable Class = iota // the same request may succeed
	Busy                   // it will, later
	RowFatal               // the prompt is at fault
	RunFatal               // no prompt would fare better
)

// Error is why a request failed.
type Error struct {
	Class   Class
	Status  int // of HTTP, 0 if there was no answer
	Message string

	after       time.Duration // what the server asks to wait
	unreachable bool          // there was no connection
	unknown     bool          // the server may have generated something
}

func (e *Error) Error() string { return e.Message }

// maxBody is the longest answer that is read, in bytes.
const maxBody = 16 << 20

// maxPause is the longest wait that a server may ask for.
const maxPause = 10 * time.Minute

// ask makes one request for jobs of the same parameters and notes it in them.
func (c *Client) ask(ctx context.Context, jobs []*job) (responses []Response, err error) {
	prompts := make([]Request, len(jobs))
	tokens := 0
	for i, j := range jobs {
		prompts[i] = j.request
		tokens += j.request.Tokens() + j.request.MaxTokens
	}
	defer func() {
		a := Attempt{Prompts: len(jobs)}
		if err != nil {
			a.Error = err.Error()
		}
		for _, j := range jobs {
			j.attempts = append(j.attempts, a)
		}
	}()
	settle := func(Usage, bool) {}
	if c.config.Spend != nil {
		if settle, err = c.config.Spend(ctx, prompts); err != nil {
			return nil, err
		}
	}
	if err := c.gate.enter(ctx); err != nil {
		settle(Usage{}, true)
		return nil, err
	}
	began, outcome, pause := time.Now(), indifferent, time.Duration(0)
	defer func() { c.gate.leave(began, outcome, pause) }()
	err = c.requests.Wait(ctx)
	if err == nil {
		err = c.tokens.WaitN(ctx, min(tokens, max(1, c.tokens.Burst())))
	}
	if err != nil {
		settle(Usage{}, true)
		return nil, err
	}
	began = time.Now()
	c.asked.Add(1)
	responses, total, failure := c.post(ctx, prompts)
	if failure == nil {
		outcome = answered
		settle(total, true)
		return responses, nil
	}
	settle(Usage{}, !failure.unknown)
	switch {
	case failure.Class == Busy:
		c.busy.Add(1)
		outcome, pause = overloaded, failure.after
	case failure.Status == 0 && failure.unknown:
		outcome = overloaded
	}
	return nil, failure
}

// post sends prompts and reads the answer.
func (c *Client) post(ctx context.Context, prompts []Request) ([]Response, Usage, *Error) {
	body, err := json.Marshal(c.wire.body(c.config.Model, prompts))
	if err != nil {
		return nil, Usage{}, &Error{Class: RowFatal, Message: err.Error()}
	}
	answer, failure := c.roundTrip(ctx, c.config.Timeout, http.MethodPost, c.wire.path, body)
	if failure != nil {
		return nil, Usage{}, failure
	}
	responses, total, err := c.wire.read(answer, len(prompts))
	if err != nil {
		return nil, Usage{}, &Error{Class: Retryable, Status: http.StatusOK, Message: c.line("the answer is not what the API has: " + err.Error()), unknown: true}
	}
	return responses, total, nil
}

// lingering is how long a request goes on when its context has ended: what is under
// way may have to be paid for, and should not be lost.
const lingering = 2 * time.Second

// roundTrip makes a request and returns the body of an answer with status 200.
func (c *Client) roundTrip(ctx context.Context, timeout time.Duration, method, path string, body []byte) ([]byte, *Error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lingering, cancel) })()
	r, err := http.NewRequestWithContext(limited, method, c.config.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Class: RunFatal, Message: c.line(err.Error())}
	}
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.broken(ctx, timeout, method, path, err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	switch {
	case err != nil && answer.StatusCode == http.StatusOK:
		return nil, c.broken(ctx, timeout, method, path, fmt.Errorf("the answer breaks off after %d bytes: %w", len(b), err))
	case len(b) > maxBody:
		return nil, &Error{Class: RowFatal, Status: answer.StatusCode, Message: c.line(fmt.Sprintf("%s %s: the answer is longer than %d MiB", method, c.config.URL+path, maxBody>>20)), unknown: true}
	case answer.StatusCode == http.StatusOK:
		return b, nil
	}
	return nil, c.refused(method, path, answer, b)
}

// broken is the failure of a request that got no whole answer.
func (c *Client) broken(ctx context.Context, timeout time.Duration, method, path string, err error) *Error {
	e := &Error{Class: Retryable, unknown: true}
	var (
		dial        *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		inURL       *url.Error
	)
	if errors.As(err, &name) || errors.As(err, &dial) && dial.Op == "dial" ||
		errors.As(err, &certificate) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) {
		e.unreachable, e.unknown = true, false
	}
	if errors.As(err, &inURL) {
		err = inURL.Err // without the URL, which stands in front
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %v", timeout)
	}
	e.Message = c.line(fmt.Sprintf("%s %s: %v", method, c.config.URL+path, err))
	return e
}

// refused is the failure that an answer with another status than 200 stands for.
func (c *Client) refused(method, path string, answer *http.Response, body []byte) *Error {
	code, message := errorOf(body)
	e := &Error{Status: answer.StatusCode}
	hint := ""
	switch s := answer.StatusCode; {
	case code == "insufficient_quota" || s == http.StatusPaymentRequired:
		e.Class, hint = RunFatal, "the account has no quota left"
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		e.Class, hint = RunFatal, "the server wants another key"
		if c.key == "" {
			hint = `the server wants a key: {env: "…"} or {file: "…"}`
		}
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed || code == "model_not_found":
		e.Class, hint = RunFatal, fmt.Sprintf("check url, api and model %q", c.config.Model)
	case s < 200 || s >= 300 && s < 400:
		e.Class, hint = RunFatal, "give the url it leads to: "+answer.Header.Get("Location")
	case s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable:
		e.Class, e.after = Busy, retryAfter(answer.Header.Get("Retry-After"), time.Now())
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusConflict || s == http.StatusTooEarly || s < 300:
		e.Class = Retryable
	default:
		e.Class = RowFatal
	}
	text := fmt.Sprintf("%s %s: %s", method, c.config.URL+path, answer.Status)
	if message != "" {
		text += ": " + message
	}
	if hint != "" {
		text += " (" + hint + ")"
	}
	e.Message = c.line(text)
	return e
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(strings.TrimSpace(header), 64); err == nil && seconds > 0 {
		return time.Duration(min(seconds, maxPause.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(0, at.Sub(now)), maxPause)
	}
	return 0
}

// errorOf finds code and message in the body of an error.
func errorOf(body []byte) (code, message string) {
	var b struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &b) != nil {
		return "", string(body)
	}
	var nested struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"`
	}
	if json.Unmarshal(b.Error, &nested) == nil && nested.Message != "" {
		code, _ = nested.Code.(string)
		if code == "" {
			code = nested.Type
		}
		return code, nested.Message
	}
	if json.Unmarshal(b.Error, &message) == nil && message != "" {
		return "", message
	}
	if b.Message != "" {
		return "", b.Message
	}
	return "", string(b.Detail)
}

// line makes a message fit a line, without the key that a server may have repeated.
func (c *Client) line(s string) string {
	const most = 400
	if c.key != "" {
		s = strings.ReplaceAll(s, c.key, "[key]")
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if cut := []rune(s); len(cut) > most {
		s = string(cut[:most]) + "…"
	}
	return s
}

// probeTimeout bounds the first question.
const probeTimeout = 4 * time.Second

// Probe finds out before the first prompt what no prompt would survive: an address
// where nothing listens, a key that is refused, a model that is not there. What a
// server does not tell, or not now, is left to the prompts.
func (c *Client) Probe(ctx context.Context) error {
	b, failure := c.roundTrip(ctx, probeTimeout, http.MethodGet, c.wire.models, nil)
	switch {
	case failure == nil:
		return c.knows(b)
	case failure.unreachable:
		failure.Class = RunFatal
		return failure
	case failure.Class == RunFatal && failure.Status != http.StatusNotFound && failure.Status != http.StatusMethodNotAllowed:
		return failure
	}
	return ctx.Err()
}

// knows looks for the model in the server's list of models.
func (c *Client) knows(list []byte) error {
	names := c.wire.names(list)
	if len(names) == 0 {
		return nil
	}
	for _, name := range names {
		if name == c.config.Model || name == c.config.Model+":latest" {
			return nil
		}
	}
	return &Error{Class: RunFatal, Status: http.StatusNotFound, Message: c.line(fmt.Sprintf("%s has no model %q (it has %s)", c.config.URL, c.config.Model, strings.Join(names[:min(5, len(names))], ", ")))}
}
