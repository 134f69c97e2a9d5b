package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The APIs.
const (
	Completions = "completions" // OpenAI's, of vLLM and many others
	Chat        = "chat"        // OpenAI's chat completions
	Ollama      = "ollama"      // Ollama's own, raw: no template wraps the prompt
	LlamaCPP    = "llamacpp"    // of llama.cpp's server
)

// wire is how an API writes a request and an answer.
type wire struct {
	path   string
	models string // where the models are listed
	body   func(model string, prompts []Request) any
	read   func(answer []byte, prompts int) ([]Response, Usage, error)
	names  func(answer []byte) []string
}

var wires = map[string]wire{
	Completions: {"/completions", "/models", completionsBody, readChoices, openAIModels},
	Chat:        {"/chat/completions", "/models", chatBody, readChoices, openAIModels},
	Ollama:      {"/api/generate", "/api/tags", ollamaBody, readOllama, ollamaModels},
	LlamaCPP:    {"/completion", "/health", llamaBody, readLlama, func([]byte) []string { return nil }},
}

// openAI is what both of OpenAI's APIs take.
type openAI struct {
	Model       string   `json:"model"`
	Prompt      any      `json:"prompt,omitempty"`
	Messages    any      `json:"messages,omitempty"`
	MaxTokens   int      `json:"max_tokens"`
	Temperature float64  `json:"temperature"`
	TopP        float64  `json:"top_p"`
	TopK        int      `json:"top_k,omitempty"`
	Stop        []string `json:"stop,omitempty"`
	Seed        int64    `json:"seed"`
	Format      any      `json:"response_format,omitempty"`
}

func openAIBody(model string, r Request) openAI {
	b := openAI{Model: model, MaxTokens: r.MaxTokens, Temperature: r.Temperature, TopP: r.TopP, TopK: r.TopK, Stop: r.Stop, Seed: r.Seed}
	if r.Schema != nil {
		b.Format = map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "completion", "schema": r.Schema}}
	}
	return b
}

func completionsBody(model string, prompts []Request) any {
	b := openAIBody(model, prompts[0])
	b.Prompt = prompts[0].Prompt
	if len(prompts) > 1 {
		texts := make([]string, len(prompts))
		for i, p := range prompts {
			texts[i] = p.Prompt
		}
		b.Prompt = texts
	}
	return b
}

func chatBody(model string, prompts []Request) any {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	r := prompts[0]
	b := openAIBody(model, r)
	var messages []message
	if r.System != "" {
		messages = append(messages, message{"system", r.System})
	}
	b.Messages = append(messages, message{"user", r.Prompt})
	return b
}

// readChoices reads the answer of both of OpenAI's APIs. A request with several
// prompts has one usage for all.
func readChoices(answer []byte, prompts int) ([]Response, Usage, error) {
	var a struct {
		Choices []struct {
			Index   int     `json:"index"`
			Text    *string `json:"text"`
			Message *struct {
				Content string `json:"content"`
			} `json:"message"`
			Finish string `json:"finish_reason"`
		} `json:"choices"`
		Usage *struct {
			In  int `json:"prompt_tokens"`
			Out int `json:"completion_tokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, Usage{}, err
	}
	if len(a.Choices) != prompts {
		return nil, Usage{}, fmt.Errorf("%d choices for %d prompts", len(a.Choices), prompts)
	}
	total, each := Usage{-1, -1}, Usage{-1, -1}
	if a.Usage != nil {
		total = Usage{a.Usage.In, a.Usage.Out}
	}
	if prompts == 1 {
		each = total
	}
	responses := make([]Response, prompts)
	seen := make([]bool, prompts)
	for _, choice := range a.Choices {
		i := choice.Index
		if i < 0 || i >= prompts || seen[i] {
			return nil, Usage{}, fmt.Errorf("choice %d is out of place", i)
		}
		seen[i] = true
		responses[i] = Response{Finish: choice.Finish, Usage: each}
		switch {
		case choice.Text != nil:
			responses[i].Text = *choice.Text
		case choice.Message != nil:
			responses[i].Text = choice.Message.Content
		default:
			return nil, Usage{}, errors.New("a choice without text")
		}
	}
	return responses, total, nil
}

func openAIModels(answer []byte) (names []string) {
	var a struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil
	}
	for _, m := range a.Data {
		names = append(names, m.ID)
	}
	return names
}

func ollamaBody(model string, prompts []Request) any {
	type options struct {
		MaxTokens   int      `json:"num_predict"`
		Temperature float64  `json:"temperature"`
		TopP        float64  `json:"top_p"`
		TopK        int      `json:"top_k,omitempty"`
		Stop        []string `json:"stop,omitempty"`
		Seed        int64    `json:"seed"`
	}
	r := prompts[0]
	return struct {
		Model   string          `json:"model"`
		Prompt  string          `json:"prompt"`
		Raw     bool            `json:"raw"`
		Stream  bool            `json:"stream"`
		Format  json.RawMessage `json:"format,omitempty"`
		Options options         `json:"options"`
	}{model, r.Prompt, true, false, r.Schema, options{r.MaxTokens, r.Temperature, r.TopP, r.TopK, r.Stop, r.Seed}}
}

func readOllama(answer []byte, _ int) ([]Response, Usage, error) {
	var a struct {
		Response *string `json:"response"`
		Done     bool    `json:"done"`
		Reason   string  `json:"done_reason"`
		In       *int    `json:"prompt_eval_count"`
		Out      *int    `json:"eval_count"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, Usage{}, err
	}
	if a.Response == nil || !a.Done {
		return nil, Usage{}, errors.New("no response that is done")
	}
	u := Usage{known(a.In), known(a.Out)}
	return []Response{{*a.Response, a.Reason, u}}, u, nil
}

func ollamaModels(answer []byte) (names []string) {
	var a struct {
		Models []struct {
			Name string `json:"name"`
		} `json:"models"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil
	}
	for _, m := range a.Models {
		names = append(names, m.Name)
	}
	return names
}

// llamaBody leaves the server's cache of prompts out: with it, what is generated
// depends on what was asked before.
func llamaBody(_ string, prompts []Request) any {
	r := prompts[0]
	return struct {
		Prompt      string          `json:"prompt"`
		MaxTokens   int             `json:"n_predict"`
		Temperature float64         `json:"temperature"`
		TopP        float64         `json:"top_p"`
		TopK        int             `json:"top_k"`
		Stop        []string        `json:"stop,omitempty"`
		Seed        int64           `json:"seed"`
		Stream      bool            `json:"stream"`
		Cache       bool            `json:"cache_prompt"`
		Schema      json.RawMessage `json:"json_schema,omitempty"`
	}{r.Prompt, r.MaxTokens, r.Temperature, r.TopP, r.TopK, r.Stop, r.Seed, false, false, r.Schema}
}

func readLlama(answer []byte, _ int) ([]Response, Usage, error) {
	var a struct {
		Content *string `json:"content"`
		Stop    string  `json:"stop_type"`     // eos, limit or word
		Limited bool    `json:"stopped_limit"` // of older servers
		In      *int    `json:"tokens_evaluated"`
		Out     *int    `json:"tokens_predicted"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, Usage{}, err
	}
	if a.Content == nil {
		return nil, Usage{}, errors.New("no content")
	}
	finish := "stop"
	if a.Limited || a.Stop == "limit" {
		finish = "length"
	}
	u := Usage{known(a.In), known(a.Out)}
	return []Response{{*a.Content, finish, u}}, u, nil
}

func known(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}
