package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"penstock.dev/data"
	"penstock.dev/data/nats/natstest"
)

func connect(t *testing.T, s Server) *Conn {
	t.Helper()
	c, err := Connect(t.Context(), s, "test", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// What stands in the way of a connection costs one line with the cure, and no
// secret is in it.
func TestConnectSaysWhatIsWrong(t *testing.T) {
	const secret = "s3cr3t-and-wrong"
	t.Setenv("NATS_TEST_SECRET", secret)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "nats://" + closed.Addr().String()
	closed.Close()
	guarded := natstest.Serve(t, natstest.Options{User: "ada", Password: "right"})
	plain := natstest.Serve(t, natstest.Options{NoJetStream: true})
	for _, tt := range []struct {
		name   string
		server Server
		want   string
	}{
		{"nobody there", Server{URL: nobody}, "cannot be reached (is the server running"},
		{"no credentials", Server{URL: guarded}, "refuses the credentials"},
		{"wrong password", Server{URL: guarded, User: "ada", Password: data.Secret{Env: "NATS_TEST_SECRET"}}, "refuses the credentials"},
		{"wrong password in a file", Server{URL: guarded, User: "ada", Password: data.Secret{File: file}}, "refuses the credentials"},
		{"wrong token", Server{URL: guarded, Token: data.Secret{Env: "NATS_TEST_SECRET"}}, "refuses the credentials"},
		{"no such variable", Server{URL: guarded, Token: data.Secret{Env: "NATS_TEST_NONE"}}, "nats.token: environment variable NATS_TEST_NONE is not set"},
		{"no such file", Server{URL: guarded, Token: data.Secret{File: "/none"}}, "nats.token: open /none: no such file"},
		{"no such credentials", Server{URL: guarded, Credentials: "/none.creds"}, "/none.creds: no such file"},
		{"no NKey", Server{URL: guarded, NKey: file}, "holds no seed of an NKey"},
		{"no such authority", Server{URL: guarded, CA: "/none.pem"}, "/none.pem: no such file"},
		{"no JetStream", Server{URL: plain}, "has no JetStream (start it with -js"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Connect(t.Context(), tt.server, "test", t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret) {
				t.Errorf("error %v, want one line with %q", err, tt.want)
			}
		})
	}
	t.Setenv("NATS_TEST_SECRET", "right")
	connect(t, Server{URL: guarded, User: "ada", Password: data.Secret{Env: "NATS_TEST_SECRET"}})
}

func TestMistakes(t *testing.T) {
	secret := data.Secret{Env: "X"}
	for _, tt := range []struct {
		server Server
		want   string // fields
	}{
		{Server{URL: Embedded}, ""},
		{Server{URL: Embedded, Port: 4222}, ""},
		{Server{URL: "nats://one:4222,nats://two:4222"}, ""},
		{Server{URL: "tls://one", User: "a", Password: secret}, ""},
		{Server{URL: "one:4222"}, "url"},
		{Server{URL: "http://one"}, "url"},
		{Server{URL: "nats://"}, "url"},
		{Server{URL: "nats://ada:secret@one"}, "url"},
		{Server{URL: Embedded, Token: secret}, "url"},
		{Server{URL: "nats://one", User: "a"}, "user"},
		{Server{URL: "nats://one", Password: secret}, "user"},
		{Server{URL: "nats://one", Token: data.Secret{Env: "X", File: "Y"}}, "token"},
		{Server{URL: "nats://one", Token: secret, NKey: "seed"}, ""},
		{Server{URL: "nats://one", Certificate: "c"}, "certificate"},
	} {
		var got []string
		for _, m := range tt.server.Mistakes() {
			got = append(got, m.Field)
		}
		if tt.server.NKey != "" { // a mistake of the whole
			if len(got) != 1 || got[0] != "" {
				t.Errorf("%+v: mistakes with %q, want one with the whole", tt.server, got)
			}
		} else if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: mistakes with %q, want %q", tt.server, got, tt.want)
		}
	}
}

// The embedded server is shared by a process, refuses another process its folder,
// takes clients by its port and keeps what it has.
func TestEmbeddedServer(t *testing.T) {
	state := t.TempDir()
	one, err := Connect(t.Context(), Server{URL: Embedded}, "one", state)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Connect(t.Context(), Server{URL: Embedded}, "two", state)
	if err != nil {
		t.Fatal(err)
	}
	p, err := one.Publisher(t.Context(), "S", &NewStream{Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Publish(t.Context(), Publication{Subject: "s", Data: []byte("kept")}), p.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(filepath.Join(state, "nats")); err == nil || !strings.Contains(err.Error(), "another process runs the embedded server") {
		t.Errorf("a second lock: %v", err)
	}
	if _, err := Connect(t.Context(), Server{URL: Embedded, Port: 1}, "three", state); err == nil || !strings.Contains(err.Error(), "port") {
		t.Errorf("another port: %v", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	outside := natstest.Dial(t, two.embedded.ClientURL())
	if n := outside.Count("S"); n != 1 {
		t.Errorf("a client from outside sees %d messages, want 1", n)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Connect(t.Context(), Server{URL: Embedded}, "again", state)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := natstest.Dial(t, again.embedded.ClientURL()).Count("S"); n != 1 {
		t.Errorf("after a restart there are %d messages, want 1", n)
	}
}

func TestEmbeddedServerSaysThatItsPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Connect(t.Context(), Server{URL: Embedded, Port: taken.Addr().(*net.TCPAddr).Port}, "test", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func consumer() Consumer {
	return Consumer{
		Stream: "EVENTS", Durable: "d", Subjects: []string{"e.>"}, Batch: 8, MaxAckPending: 100,
		AckWait: 300 * time.Millisecond, MaxDeliver: 2, DeadLetters: "dead", Create: &NewStream{Subjects: []string{"e.>"}},
	}
}

// next takes what one call brings.
func next(t *testing.T, s *Subscriber) (got []*Message) {
	t.Helper()
	if err := s.Next(t.Context(), func(m *Message) { got = append(got, m) }); err != nil {
		t.Fatal(err)
	}
	return got
}

// What a consumer does not find is said on one line with the cure.
func TestSubscribeSaysWhatIsMissing(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	c := connect(t, Server{URL: url})
	try := func(what string, change func(*Consumer), want string) {
		t.Helper()
		config := consumer()
		config.Create = nil
		change(&config)
		s, err := c.Subscribe(t.Context(), config, t.TempDir())
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", what, err, want)
		}
	}
	try("stream", func(*Consumer) {}, "has no stream EVENTS (make it with: nats stream add EVENTS, or set create: true)")
	client.Make("EVENTS", "e.>")
	try("dead letters", func(*Consumer) {}, "has no stream for the dead letters (make one that keeps subject dead, or set create: true)")
	try("own dead letters", func(c *Consumer) { c.DeadLetters = "e.dead" }, "would take its own dead letters")
	if _, err := c.Publisher(t.Context(), "NONE", nil); err == nil || !strings.Contains(err.Error(), "has no stream NONE") {
		t.Errorf("publisher: %v", err)
	}
}

// A message comes again while nobody acknowledges it, alone, and not while its
// taker lives.
func TestRedelivery(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "e.>")
	for n := range 5 {
		client.Publish("e.x", "", fmt.Append(nil, n), map[string][]string{"N": {fmt.Sprint(n)}})
	}
	state := t.TempDir()
	c := connect(t, Server{URL: url})
	s, err := c.Subscribe(t.Context(), consumer(), state)
	if err != nil {
		t.Fatal(err)
	}
	got := next(t, s)
	if len(got) != 5 || got[3].Sequence != 4 || got[3].Attempts != 1 || string(got[3].Data) != "3" || got[3].Header["N"][0] != "3" {
		t.Fatalf("%d messages", len(got))
	}
	got[0].Event.Release() // acknowledged
	if again := next(t, s); len(again) != 0 {
		t.Errorf("%d messages came while they were worked on", len(again))
	}
	s.Close() // the taker dies with four under way
	other, err := connect(t, Server{URL: url}).Subscribe(t.Context(), consumer(), state)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	seen := map[uint64]bool{}
	for deadline := time.Now().Add(10 * time.Second); len(seen) < 4 && time.Now().Before(deadline); {
		again := next(t, other)
		if len(again) > 1 {
			t.Errorf("%d messages that were delivered before came together", len(again))
		}
		for _, m := range again {
			seen[m.Sequence] = true
			if m.Attempts != 2 || m.Event.Name != got[m.Sequence-1].Event.Name {
				t.Errorf("attempt %d of %s, then %d of %s", got[m.Sequence-1].Attempts, got[m.Sequence-1].Event.Name, m.Attempts, m.Event.Name)
			}
			m.Event.Release()
		}
	}
	if len(seen) != 4 || seen[1] {
		t.Errorf("messages %v came again, want 2 to 5", seen)
	}
	if taken := other.Taken(); taken != (Taken{Received: 4, Redelivered: 4, Acknowledged: 4}) {
		t.Errorf("accounts %+v", taken)
	}
	if b, err := os.ReadFile(other.attempts.path); err != nil || string(b) != "{}" {
		t.Errorf("attempts %s, %v: want none left", b, err)
	}
}

// A dead letter has the payload and headers of its message, and where and why it
// ended; a payload that fills a message is divided, and the headers of a hostile
// one do not keep it from its end.
func TestDeadLetters(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "e.>")
	full := []byte(strings.Repeat("x", 1<<20-100))
	client.Publish("e.small", "", []byte("small"), map[string][]string{"A": {"1", "2"}})
	client.Publish("e.full", "", full, nil)
	client.Publish("e.headers", "", []byte("h"), map[string][]string{"B": {strings.Repeat("y", 60_000)}, "C": {"kept"}})
	s, err := connect(t, Server{URL: url}).Subscribe(t.Context(), consumer(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, m := range next(t, s) {
		m.Event.Refuse(data.Refusal{Node: "score", Class: "null", Message: "line one\r\nNats-Msg-Id: forged"})
		m.Event.Refuse(data.Refusal{Node: "other", Class: "x", Message: strings.Repeat("\xff", 5000)})
		m.Event.Release()
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if taken := s.Taken(); taken != (Taken{Received: 3, DeadLetters: 3}) {
		t.Errorf("accounts %+v", taken)
	}
	letters := client.All("EVENTS-DEAD")
	if len(letters) != 4 {
		t.Fatalf("%d messages, want 4: one was to be divided", len(letters))
	}
	small := letters[0]
	for name, want := range map[string]string{
		"A": "1|2", HeaderStream: "EVENTS", HeaderSequence: "1", HeaderSubject: "e.small", HeaderAttempts: "1",
		HeaderNode: "score|other", HeaderClass: "null|x",
	} {
		if got := strings.Join(small.Header[name], "|"); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if r := small.Header[HeaderReason]; r[0] != "line one Nats-Msg-Id: forged" || len(r[1]) > 4*reasonBytes {
		t.Errorf("reasons %.100q", r)
	}
	if whole := string(letters[1].Data) + string(letters[2].Data); whole != string(full) || letters[2].Header[HeaderPart][0] != "2/2" {
		t.Errorf("the divided payload has %d bytes of %d; parts %v", len(whole), len(full), letters[2].Header[HeaderPart])
	}
	if h := letters[3].Header; h["B"] != nil || h["C"][0] != "kept" {
		t.Error("the header that leaves no room should be gone, the other there")
	}
}

// A message that comes again is stored once; what can never be stored is refused;
// a stream that takes nothing for too long is an error with the cure.
func TestPublisher(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	c := connect(t, Server{URL: url})
	p, err := c.Publisher(t.Context(), "S", &NewStream{Subjects: []string{"s.*", "deep.>"}})
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	publish := func(m Publication) error {
		m.Stored = func() { stored++ }
		return p.Publish(t.Context(), m)
	}
	for n := range 3 * maxUnstored {
		if err := publish(Publication{Subject: "s.x", ID: fmt.Sprint(n % 1000), Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := natstest.Dial(t, url).Count("S"); n != 1000 || stored != 3*maxUnstored {
		t.Errorf("%d messages in the stream, want 1000; %d reported stored, want %d", n, stored, 3*maxUnstored)
	}
	for class, m := range map[string]Publication{
		"subject":   {Subject: "other"},
		"too-large": {Subject: "s.x", Data: make([]byte, 1<<20)},
	} {
		var refused *Refusal
		if err := publish(m); !errors.As(err, &refused) || refused.Class != class {
			t.Errorf("%s: error %v", class, err)
		}
	}
	if _, err := c.js.UpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*", "deep.>"}, MaxMsgs: 1000, Discard: jetstream.DiscardNew}); err != nil {
		t.Fatal(err)
	}
	p.patience = 300 * time.Millisecond
	if err := publish(Publication{Subject: "s.x", Data: []byte("more")}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "takes no messages") || !strings.Contains(err.Error(), "maximum messages exceeded") {
		t.Errorf("a full stream: %v", err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := p.Flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.b", "a", false}, {"a", "a.b", false},
		{"a.*", "a.b", true}, {"a.*", "a.b.c", false}, {"*.b", "a.b", true}, {"*", "a", true},
		{"a.>", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a", false}, {">", "a.b", true},
	} {
		if got := matches(tt.filter, tt.subject); got != tt.want {
			t.Errorf("%s matches %s: %v", tt.filter, tt.subject, got)
		}
	}
}

// The counts of tries outlive the process, and what another process saw to is
// forgotten.
func TestAttempts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "a.json")
	for want := 1; want <= 3; want++ {
		a, err := openAttempts(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.begin(17); err != nil {
			t.Fatal(err)
		}
		if a.tries[17] != want {
			t.Errorf("%d tries, want %d", a.tries[17], want)
		}
	}
	a, err := openAttempts(path)
	if err != nil || a.end(17) != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	var left map[string]int
	if err != nil || json.Unmarshal(b, &left) != nil || len(left) != 0 {
		t.Errorf("left %s", b)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openAttempts(path); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a broken file: %v", err)
	}
}

// A batch is fetched while the one before it is worked on; at the end it is given
// back, to be had at once.
func TestWhatWasFetchedAheadIsGivenBack(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "e.>")
	for n := range 20 {
		client.Publish("e.x", "", fmt.Append(nil, n), nil)
	}
	config := consumer()
	config.AckWait = time.Minute
	s, err := connect(t, Server{URL: url}).Subscribe(t.Context(), config, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got := next(t, s)
	if len(got) != 9 { // the first and a batch
		t.Fatalf("%d messages", len(got))
	}
	for _, m := range got {
		m.Event.Release()
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if taken := s.Taken(); taken != (Taken{Received: 9, Acknowledged: 9}) {
		t.Errorf("accounts %+v", taken)
	}
	s.Close()
	other, err := connect(t, Server{URL: url}).Subscribe(t.Context(), config, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	rest := 0
	for began := time.Now(); rest < 11 && time.Since(began) < 10*time.Second; {
		for _, m := range next(t, other) {
			m.Event.Release()
			rest++
		}
	}
	if rest != 11 {
		t.Errorf("%d messages were left to the next, want 11", rest)
	}
}

// How a stream stands counts what the consumer takes alone, and its oldest message.
func TestState(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	config := consumer()
	config.Subjects, config.Create = []string{"a", "b.*"}, nil
	client.Make("EVENTS", "a", "b.*", "other")
	client.Make("DEAD", "dead")
	for _, subject := range []string{"other", "b.x", "a", "other", "b.y"} {
		client.Publish(subject, "", nil, nil)
	}
	times := client.All("EVENTS")
	s, err := connect(t, Server{URL: url}).Subscribe(t.Context(), config, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := func(waiting, pending int64, oldest time.Time) {
		t.Helper()
		var got State
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) { // acknowledgements travel
			if got, err = s.State(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got.Waiting == waiting && got.Pending == pending && got.Oldest.Equal(oldest) {
				return
			}
		}
		t.Errorf("%+v, want %d waiting, %d pending, the oldest of %v", got, waiting, pending, oldest)
	}
	want(3, 0, times[1].Time)
	got := next(t, s)
	want(0, 3, times[1].Time)
	got[0].Event.Release()
	want(0, 2, times[2].Time)
	got[2].Event.Release()
	got[1].Event.Release()
	want(0, 0, time.Time{})
	if counts, sum := s.Latency(); len(counts) != len(Bounds)+1 || sum <= 0 {
		t.Errorf("latencies %v, %v in all", counts, sum)
	}
	client.Delete("EVENTS")
	if _, err := s.State(t.Context()); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a stream that is gone: %v", err)
	}
}

// The message of a dead letter is published again as it was, once however often it
// is tried, and the letter removed; a message cannot forge where it came from.
func TestRetry(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "e.>")
	full := []byte(strings.Repeat("x", 1<<20-300))
	client.Publish("e.small", "", []byte("small"), map[string][]string{"A": {"1", "2"}, HeaderSubject: {"e.forged"}, "penstock-sequence": {"7"}, HeaderRetries: {"4"}})
	client.Publish("e.full", "", full, nil)
	c := connect(t, Server{URL: url})
	s, err := c.Subscribe(t.Context(), consumer(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, m := range next(t, s) {
		m.Event.Refuse(data.Refusal{Node: "score", Class: "null", Message: "because"})
		m.Event.Release()
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.Publish("dead", "", []byte("no dead letter"), nil)
	d, err := c.DeadLetters(t.Context(), consumer())
	if err != nil {
		t.Fatal(err)
	}
	var letters []*Letter
	if err := d.Each(t.Context(), func(l *Letter) error { letters = append(letters, l); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(letters) != 2 || letters[0].Subject != "e.small" || letters[0].Sequence != 1 || letters[1].Sequence != 2 || len(letters[1].at) != 2 || letters[0].Reason[0] != "because" {
		t.Fatalf("letters %+v", letters)
	}
	for _, l := range []*Letter{letters[0], letters[1], letters[0], letters[1]} { // as after a death in between
		if err := d.Retry(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if n := client.Count("EVENTS-DEAD"); n != 1 {
		t.Errorf("%d messages are left, want the one that is no dead letter", n)
	}
	all := client.All("EVENTS")
	if len(all) != 4 {
		t.Fatalf("%d messages, want 4", len(all))
	}
	if m := all[2]; string(m.Data) != "small" || m.Subject != "e.small" || strings.Join(m.Header["A"], "|") != "1|2" || m.Header[HeaderRetries][0] != "5" || m.Header[HeaderReason] != nil {
		t.Errorf("published again: %s %q %v", m.Subject, m.Data, m.Header)
	}
	if m := all[3]; string(m.Data) != string(full) || m.Header[HeaderRetries][0] != "1" {
		t.Errorf("published again: %s, %d bytes, retries %v", m.Subject, len(m.Data), m.Header[HeaderRetries])
	}
	if err := d.Each(t.Context(), func(l *Letter) error { t.Errorf("letter %+v", l); return nil }); err != nil {
		t.Fatal(err)
	}
}

// Two consumers of a stream that is made keep their dead letters in one stream; one
// whose subject nothing keeps is told so at the start.
func TestDeadLettersOfTwoConsumers(t *testing.T) {
	c := connect(t, Server{URL: natstest.Serve(t, natstest.Options{})})
	config := consumer()
	for _, durable := range []string{"one", "two"} {
		config.Durable, config.DeadLetters = durable, LettersOf("EVENTS", durable)
		s, err := c.Subscribe(t.Context(), config, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	config.DeadLetters = "elsewhere"
	if _, err := c.Subscribe(t.Context(), config, t.TempDir()); err == nil || !strings.Contains(err.Error(), "does not keep the dead letters' subject elsewhere (add it: nats stream edit EVENTS-DEAD)") {
		t.Errorf("error %v", err)
	}
}

// A server whose store is full is said to be, with the cure, and taken up again when
// there is room.
func TestFullStore(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{MaxStore: 200_000})
	c := connect(t, Server{URL: url})
	p, err := c.Publisher(t.Context(), "S", &NewStream{Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	p.patience = 300 * time.Millisecond
	for range 30 {
		if err := p.Publish(t.Context(), Publication{Subject: "s", Data: make([]byte, 10_000)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "stream S on "+url+" takes no messages: ") || !strings.HasSuffix(err.Error(), "(free space on the server's disk, or raise its limits)") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
	if err := natstest.Dial(t, url).Purge("S"); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
