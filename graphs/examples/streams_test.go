package examples_test

import (
	"fmt"
	"testing"

	"penstock.dev/data/nats/natstest"
)

// Texts that are published as events come back with scores, each once.
func TestStreamDetect(t *testing.T) {
	const texts = 12
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("TEXTS", "texts.>")
	server := map[string]string{"nats": url}
	inRoot(t)
	load(t, "stream-detect/publish.cue", nil) // as the README has it
	if counts := runWith(t, "stream-detect/publish.cue", server, texts); counts["publish"].In != texts {
		t.Fatalf("%d texts were published", counts["publish"].In)
	}
	counts := runWith(t, "stream-detect", server, texts)
	ids := map[string]bool{}
	for _, m := range client.All("SCORES") {
		row := m.JSON(t)
		if x, ok := row["log_likelihood"].(float64); !ok || x >= 0 || m.Header["Id"][0] != row["id"] {
			t.Errorf("answer %s with headers %v", m.Data, m.Header)
		}
		ids[row["id"].(string)] = true
	}
	if n := counts["answer"].In; n == 0 || len(ids) != int(n) || client.Count("SCORES") != uint64(n) {
		t.Errorf("%d answers to %d texts, %d in the stream", len(ids), n, client.Count("SCORES"))
	}
}

// The watching graph counts every answer in a window.
func TestWatchScores(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("SCORES", "scores.>")
	const answers = 7
	for i := range answers {
		client.Publish("scores.text", "", fmt.Appendf(nil, `{"id": "%d", "log_likelihood": -%d.5, "lastde": 2, "fast_detect_gpt": 1}`, i, i), nil)
	}
	inRoot(t)
	counts := runWith(t, "stream-detect/watch.cue", map[string]string{"nats": url}, answers)
	if c := counts["minute"]; c.In != answers || c.Passed != answers {
		t.Errorf("%+v", c)
	}
	// The windows are open still: they are in the work folder, for the next run.
	if n := client.Count("MINUTES"); n != 0 {
		t.Errorf("%d windows were published before their end", n)
	}
}
