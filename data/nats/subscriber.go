package nats

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"penstock.dev/data"
)

// Consumer says what to take from a stream, and as whom.
type Consumer struct {
	Stream        string
	Durable       string    // name of the consumer, which keeps the position
	Subjects      []string  // filters; none takes all
	FromSequence  uint64    // where a new consumer begins, if not 0
	FromTime      time.Time // likewise, if not zero
	OnlyNew       bool      // likewise: with what comes from now on
	Batch         int       // most messages to take at once
	MaxAckPending int       // most messages that all takers may have under way
	AckWait       time.Duration
	MaxDeliver    int        // tries alone before a message that ends the process is a dead letter
	DeadLetters   string     // subject for them; a stream must keep it
	Create        *NewStream // the stream to make if there is none
}

// Message is a message that was taken.
type Message struct {
	Subject  string
	Header   map[string][]string
	Data     []byte
	Sequence uint64 // in the stream, from 1
	Time     time.Time
	Attempts int // deliveries, this one included
	// Event is held once for the taker, and settles the message: acknowledged if
	// nothing refused it, a dead letter otherwise.
	Event *data.Event

	message jetstream.Msg
	alone   bool
}

// Taken counts what became of messages.
type Taken struct {
	Received     int64 // deliveries
	Redelivered  int64 // of them
	Acknowledged int64 // without a refusal
	DeadLetters  int64
	InFlight     int64
}

// Subscriber takes messages as a durable consumer. Next is called by one
// goroutine; events may be settled from any.
type Subscriber struct {
	conn     *Conn
	config   Consumer
	stream   jetstream.Stream
	consumer jetstream.Consumer
	epoch    string // tells the stream from one of its name before it
	dead     *Publisher
	attempts *attempts

	received, redelivered, acknowledged, deadLetters atomic.Int64
	latency                                          latencies

	earlier uint64    // last message that an earlier process had taken, while one of them is not settled
	asked   time.Time // whether all are

	ahead chan fetched // the next batch, if it was asked for; holds one
	apart []*Message   // redelivered, to be tried alone

	mutex    sync.Mutex
	inFlight map[*Message]bool
	letters  []Publication // dead letters to be sent

	stop  context.CancelFunc
	beats sync.WaitGroup
}

const (
	// fetchWait is how long Next waits for a message, and so about how long the end
	// of a stream graph may take.
	fetchWait = 500 * time.Millisecond
	// lossWait is the wait between looks at a server that is away.
	lossWait = 250 * time.Millisecond
)

// Subscribe makes or finds the consumer and sees that dead letters will be kept.
// Counts of tries are kept in a file below state.
func (c *Conn) Subscribe(ctx context.Context, config Consumer, state string) (*Subscriber, error) {
	stream, err := c.stream(ctx, config.Stream, config.Create)
	if err != nil {
		return nil, err
	}
	s := &Subscriber{conn: c, config: config, stream: stream, inFlight: map[*Message]bool{}}
	if s.consumer, err = c.consumer(ctx, stream, config); err != nil {
		return nil, err
	}
	info := s.consumer.CachedInfo()
	if info.NumAckPending > 0 {
		s.earlier = info.Delivered.Stream
	}
	s.epoch = strconv.FormatInt(stream.CachedInfo().Created.UnixMilli(), 36) // the consumer's changes when the server starts
	if s.dead, err = c.deadLetters(ctx, config); err != nil {
		return nil, err
	}
	name := config.Stream + "." + config.Durable + ".json"
	if s.attempts, err = openAttempts(filepath.Join(state, "attempts", name)); err != nil {
		return nil, err
	}
	for sequence := range s.attempts.tries {
		if sequence <= info.AckFloor.Stream { // another process saw to it
			delete(s.attempts.tries, sequence)
		}
	}
	beating, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.beats.Go(func() { s.beat(beating) })
	return s, nil
}

// consumer makes the durable consumer, or brings the settings of the one there is
// up to date. Its position stays.
func (c *Conn) consumer(ctx context.Context, stream jetstream.Stream, want Consumer) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Durable: want.Durable, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
	}
	switch {
	case want.FromSequence > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, want.FromSequence
	case !want.FromTime.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &want.FromTime
	case want.OnlyNew:
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	known, err := stream.Consumer(ctx, want.Durable)
	switch {
	case err == nil:
		config = known.CachedInfo().Config
		if config.AckPolicy != jetstream.AckExplicitPolicy {
			return nil, fmt.Errorf("consumer %s of stream %s does not acknowledge each message (choose another durable)", want.Durable, want.Stream)
		}
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, fmt.Errorf("consumer %s of stream %s: %w", want.Durable, want.Stream, c.explain(err))
	}
	config.FilterSubject, config.FilterSubjects = "", want.Subjects
	config.AckWait, config.MaxAckPending = want.AckWait, want.MaxAckPending
	config.MaxDeliver = -1 // the server would give a message up without a word
	consumer, err := stream.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("consumer %s of stream %s: %w", want.Durable, want.Stream, c.explain(err))
	}
	return consumer, nil
}

// deadLetters finds the stream that keeps the subject of dead letters; where the
// messages' own stream may be made, so may this.
func (c *Conn) deadLetters(ctx context.Context, config Consumer) (*Publisher, error) {
	name, err := c.js.StreamNameBySubject(ctx, config.DeadLetters)
	var create *NewStream
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && config.Create == nil:
		return nil, fmt.Errorf("%s has no stream for the dead letters (make one that keeps subject %s, or set create: true)", c.where, config.DeadLetters)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		name, create = config.Stream+"-DEAD", &NewStream{Subjects: []string{config.keptLetters()}, Duplicates: config.Create.Duplicates}
	case err != nil:
		return nil, c.explain(err)
	case name == config.Stream:
		return nil, fmt.Errorf("stream %s would take its own dead letters of subject %s again (choose another subject for deadLetters)", name, config.DeadLetters)
	}
	p, err := c.Publisher(ctx, name, create)
	if err == nil && !p.Keeps(config.DeadLetters) {
		return nil, fmt.Errorf("stream %s on %s does not keep the dead letters' subject %s (add it: nats stream edit %s)", name, c.where, config.DeadLetters, name)
	}
	return p, err
}

// keptLetters is the filter of a stream that is made for dead letters: those of all
// consumers of the stream, if their subjects are what they are by default.
func (c Consumer) keptLetters() string {
	if prefix := LettersOf(c.Stream, ""); strings.HasPrefix(c.DeadLetters, prefix) {
		return prefix + ">"
	}
	return c.DeadLetters
}

// LettersOf is the subject for the dead letters of a consumer unless it is given
// another.
func LettersOf(stream, durable string) string { return "dead." + stream + "." + durable }

// Next waits a moment for messages and hands on those there are: a message that
// was delivered before comes alone, for it may be the one that ended a process.
// It returns without any when none came or the server is away. An error says that
// waiting would not help.
func (s *Subscriber) Next(ctx context.Context, take func(*Message)) error {
	if err := s.bury(ctx); err != nil {
		return err
	}
	if m := s.nextApart(); m != nil {
		return s.tryAlone(ctx, m, take)
	}
	if s.ahead == nil {
		first, err := s.fetch(ctx, s.waitForOne)
		if err != nil || len(first) == 0 {
			return err
		}
		if first[0].left > 0 {
			s.lookAhead(ctx)
		}
		if first[0].Attempts > 1 {
			return s.tryAlone(ctx, first[0].Message, take)
		}
		take(first[0].Message)
	}
	return s.takeAhead(ctx, take)
}

// lookAhead asks for a batch, to be there when those under way were seen to.
func (s *Subscriber) lookAhead(ctx context.Context) {
	ahead := make(chan fetched, 1)
	s.ahead = ahead
	go func() {
		all, err := s.fetch(ctx, s.takeBatch)
		ahead <- fetched{all, err}
	}()
}

// takeAhead hands on the batch that was asked for, if one was, and asks for another
// if more are waiting.
func (s *Subscriber) takeAhead(ctx context.Context, take func(*Message)) error {
	if s.ahead == nil {
		return nil
	}
	batch := <-s.ahead
	s.ahead = nil
	if n := len(batch.deliveries); n > 0 && batch.deliveries[n-1].left > 0 {
		s.lookAhead(ctx)
	}
	for _, d := range batch.deliveries {
		if d.Attempts > 1 {
			s.apart = append(s.apart, d.Message)
			continue
		}
		take(d.Message)
	}
	return batch.err
}

// Ordered reports whether messages come in the order of the stream from now on: not
// while one that an earlier process had taken is still to come again. It is called by
// the goroutine that calls Next.
func (s *Subscriber) Ordered(ctx context.Context) bool {
	if s.earlier == 0 || time.Since(s.asked) < lossWait {
		return s.earlier == 0
	}
	s.asked = time.Now()
	state, err := s.State(ctx)
	if err == nil && (state.Pending == 0 || state.Floor >= s.earlier) {
		s.earlier = 0
	}
	return s.earlier == 0
}

// giveBack returns the messages that were fetched and not handed on.
func (s *Subscriber) giveBack() {
	left := s.apart
	s.apart = nil
	if s.ahead != nil {
		for _, d := range (<-s.ahead).deliveries {
			left = append(left, d.Message)
		}
		s.ahead = nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, m := range left {
		m.message.Nak()
		delete(s.inFlight, m)
		s.received.Add(-1)
		if m.Attempts > 1 {
			s.redelivered.Add(-1)
		}
	}
}

func (s *Subscriber) nextApart() *Message {
	if len(s.apart) == 0 {
		return nil
	}
	m := s.apart[0]
	s.apart = slices.Delete(s.apart, 0, 1)
	return m
}

// tryAlone hands on a message that was delivered before, unless it ended the
// process as often as it may.
func (s *Subscriber) tryAlone(ctx context.Context, m *Message, take func(*Message)) error {
	m.alone = true
	if s.attempts.tries[m.Sequence] >= s.config.MaxDeliver {
		m.Event.Refuse(data.Refusal{Class: "max-deliver", Message: fmt.Sprintf("tried alone %d times, and the process ended each time before it was done", s.config.MaxDeliver)})
		m.Event.Release()
		return s.bury(ctx)
	}
	s.mutex.Lock()
	err := s.attempts.begin(m.Sequence)
	s.mutex.Unlock()
	if err == nil {
		take(m)
	}
	return err
}

// fetched is what a request brought.
type fetched struct {
	deliveries []delivery
	err        error
}

// delivery is a message with the number of those that wait behind it.
type delivery struct {
	*Message
	left uint64
}

func (s *Subscriber) waitForOne() (jetstream.MessageBatch, error) {
	return s.consumer.Fetch(1, jetstream.FetchMaxWait(fetchWait))
}

func (s *Subscriber) takeBatch() (jetstream.MessageBatch, error) {
	return s.consumer.FetchNoWait(s.config.Batch)
}

// fetch collects what a request brings.
func (s *Subscriber) fetch(ctx context.Context, request func() (jetstream.MessageBatch, error)) ([]delivery, error) {
	batch, err := request()
	if err != nil {
		return nil, s.lost(ctx, err)
	}
	var all []delivery
	for message := range batch.Messages() {
		meta, err := message.Metadata()
		if err != nil {
			return all, fmt.Errorf("stream %s: %w", s.config.Stream, err)
		}
		all = append(all, delivery{s.receive(message, meta), meta.NumPending})
	}
	if err := batch.Error(); err != nil && len(all) == 0 {
		return nil, s.lost(ctx, err)
	}
	return all, nil
}

// receive makes a message under way of what the client got.
func (s *Subscriber) receive(message jetstream.Msg, meta *jetstream.MsgMetadata) *Message {
	m := &Message{
		Subject: message.Subject(), Header: message.Headers(), Data: message.Data(),
		Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Attempts: int(meta.NumDelivered),
		message: message,
	}
	m.Event = data.NewEvent(fmt.Sprintf("%s.%s.%s:%d", s.config.Stream, s.config.Durable, s.epoch, m.Sequence),
		func(refusals []data.Refusal) { s.settle(m, refusals) })
	s.received.Add(1)
	if m.Attempts > 1 {
		s.redelivered.Add(1)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.inFlight[m] = true
	return m
}

// lost waits a little where the server is away, and tells that from a consumer
// that is gone.
func (s *Subscriber) lost(ctx context.Context, err error) error {
	if s.conn.nc.IsClosed() {
		return fmt.Errorf("%s: %w", s.conn.where, err)
	}
	select {
	case <-time.After(lossWait):
	case <-ctx.Done():
		return nil
	}
	if s.conn.nc.IsConnected() {
		look, stop := context.WithTimeout(ctx, apiTimeout)
		defer stop()
		_, err := s.consumer.Info(look)
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("consumer %s of stream %s on %s is gone (did someone delete it?)", s.config.Durable, s.config.Stream, s.conn.where)
		}
	}
	return nil
}

// settle ends a message of which everything was seen to.
func (s *Subscriber) settle(m *Message, refusals []data.Refusal) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(refusals) > 0 {
		s.letters = append(s.letters, s.letter(m, refusals)...)
		return
	}
	s.acknowledge(m)
	s.acknowledged.Add(1)
}

// acknowledge takes the message off the stream's consumer. An acknowledgement that
// is lost brings the message again, and its results are known by their ids.
func (s *Subscriber) acknowledge(m *Message) {
	m.message.Ack()
	delete(s.inFlight, m)
	s.latency.add(time.Since(m.Time))
	if m.alone {
		s.attempts.end(m.Sequence) // a count too many does little harm
	}
}

// bury stores the dead letters there are and acknowledges their messages.
func (s *Subscriber) bury(ctx context.Context) error {
	s.mutex.Lock()
	letters := s.letters
	s.letters = nil
	s.mutex.Unlock()
	for _, l := range letters {
		if err := s.dead.Publish(ctx, l); err != nil {
			return fmt.Errorf("dead letter: %w", err)
		}
	}
	return s.dead.Flush(ctx)
}

// Finish gives back what was not handed on and stores the dead letters that are
// left.
func (s *Subscriber) Finish(ctx context.Context) error {
	s.giveBack()
	return s.bury(ctx)
}

// beat tells the server that messages under way are being worked on.
func (s *Subscriber) beat(ctx context.Context) {
	tick := time.NewTicker(max(s.config.AckWait/3, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mutex.Lock()
		for m := range s.inFlight {
			m.message.InProgress()
		}
		s.mutex.Unlock()
	}
}

// Taken is what became of the messages so far.
func (s *Subscriber) Taken() Taken {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return Taken{
		Received: s.received.Load(), Redelivered: s.redelivered.Load(),
		Acknowledged: s.acknowledged.Load(), DeadLetters: s.deadLetters.Load(),
		InFlight: int64(len(s.inFlight)),
	}
}

// Close stops taking messages. Those under way come again to whoever takes next.
func (s *Subscriber) Close() {
	s.giveBack()
	s.stop()
	s.beats.Wait()
}
