package nats

import (
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock.dev/data"
)

// Headers of a dead letter. Payload and headers of the message come before them as
// they were.
const (
	HeaderStream   = "Penstock-Stream"   // where the message was
	HeaderSequence = "Penstock-Sequence" // in that stream
	HeaderSubject  = "Penstock-Subject"
	HeaderTime     = "Penstock-Time"     // of its publication, RFC 3339
	HeaderAttempts = "Penstock-Attempts" // deliveries
	HeaderNode     = "Penstock-Node"     // that refused it; this and the next two occur once for each refusal
	HeaderClass    = "Penstock-Class"
	HeaderReason   = "Penstock-Reason"
	HeaderRetries  = "Penstock-Retries" // how often the message was published again; this one it keeps
	HeaderPart     = "Penstock-Part"    // "1/2" where the payload is divided to make room for these headers
)

// reasonBytes bounds a reason in a header.
const reasonBytes = 1000

// letter is the dead letter of a message. A payload that leaves no room for the
// headers is divided over two messages or more; the last acknowledges it.
func (s *Subscriber) letter(m *Message, refusals []data.Refusal) []Publication {
	header := keptHeader(m.Header)
	add := func(name, value string) { header[name] = append(header[name], value) }
	add(HeaderStream, s.config.Stream)
	add(HeaderSequence, strconv.FormatUint(m.Sequence, 10))
	add(HeaderSubject, m.Subject)
	add(HeaderTime, m.Time.UTC().Format(time.RFC3339Nano))
	add(HeaderAttempts, strconv.Itoa(m.Attempts))
	for _, r := range refusals[:min(len(refusals), 8)] {
		add(HeaderNode, r.Node)
		add(HeaderClass, r.Class)
		add(HeaderReason, oneLine(r.Message))
	}
	whole := Publication{Subject: s.config.DeadLetters, ID: m.Event.Name, Header: header, Data: m.Data}
	parts := s.divide(whole)
	parts[len(parts)-1].Stored = func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.acknowledge(m)
		s.deadLetters.Add(1)
	}
	return parts
}

// keptHeader is a message's header without instructions to the stream that it was
// for, without what only a dead letter has, and without values that leave no room
// for others.
func keptHeader(from map[string][]string) map[string][]string {
	header := map[string][]string{}
	room := headerRoom / 4
	for _, name := range slices.Sorted(maps.Keys(from)) {
		for _, value := range from[name] {
			if size := len(name) + len(value) + 4; size <= room && !ours(name) {
				room -= size
				header[name] = append(header[name], value)
			}
		}
	}
	return header
}

// ours reports whether a header is for the server or about a dead letter. Whoever
// publishes a message cannot make it look like another's.
func ours(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return strings.HasPrefix(name, "Nats-") || strings.HasPrefix(name, "Penstock-") && name != HeaderRetries
}

// headerRoom is what the headers of a dead letter may need.
const headerRoom = 16 << 10

// divide makes publications that the stream takes of one that may be too large.
func (s *Subscriber) divide(p Publication) []Publication {
	most := s.dead.MaxSize() - headerRoom
	if len(p.Data) <= most || most <= 0 {
		return []Publication{p}
	}
	n := (len(p.Data) + most - 1) / most
	parts := make([]Publication, n)
	for i := range parts {
		parts[i] = p
		parts[i].ID = p.ID + "/" + strconv.Itoa(i+1)
		parts[i].Header = maps.Clone(p.Header)
		parts[i].Header[HeaderPart] = []string{strconv.Itoa(i+1) + "/" + strconv.Itoa(n)}
		parts[i].Data = p.Data[i*most : min((i+1)*most, len(p.Data))]
	}
	return parts
}

// oneLine makes a text fit for a header: printable, on one line, not too long.
func oneLine(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	if len(text) > reasonBytes {
		text = strings.ToValidUTF8(text[:reasonBytes], "") + "…"
	}
	return text
}
