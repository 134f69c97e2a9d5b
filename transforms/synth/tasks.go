package synth

import (
	"fmt"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// TaskTypes are the types of task that Bonito was trained for (Nayak et al. 2024,
// Findings of ACL 2024, 748), by their short names.
var TaskTypes = map[string]string{
	"exqa":          "extractive question answering",
	"mcqa":          "multiple-choice question answering",
	"qg":            "question generation",
	"qa":            "question answering without choices",
	"ynqa":          "yes-no question answering",
	"coref":         "coreference resolution",
	"paraphrase":    "paraphrase generation",
	"paraphrase_id": "paraphrase identification",
	"sent_comp":     "sentence completion",
	"sentiment":     "sentiment",
	"summarization": "summarization",
	"text_gen":      "text generation",
	"topic_class":   "topic classification",
	"wsd":           "word sense disambiguation",
	"te":            "textual entailment",
	"nli":           "natural language inference",
}

// taskType is the full name of a type of task that is given by either name.
func taskType(name string) (string, bool) {
	if full, ok := TaskTypes[name]; ok {
		return full, true
	}
	for _, full := range TaskTypes {
		if full == name {
			return full, true
		}
	}
	return "", false
}

func taskNames() (names []string) {
	for short := range TaskTypes {
		names = append(names, short)
	}
	slices.Sort(names)
	return names
}

// TaskChoice says of what type the tasks of a row are: Task for all, or what the
// column TaskColumn holds.
type TaskChoice struct {
	Task       string `json:"task"`
	TaskColumn string `json:"taskColumn"`
}

// mistakes lists what is wrong with the fields.
func (c TaskChoice) mistakes() error {
	if (c.Task == "") == (c.TaskColumn == "") {
		return &transforms.FieldError{Field: "task", Message: "one of task and taskColumn says what to make", Hint: `task: "ynqa"`}
	}
	if _, ok := taskType(c.Task); !ok && c.Task != "" {
		return &transforms.FieldError{Field: "task", Message: fmt.Sprintf("no type of task %q", c.Task), Hint: "one of " + strings.Join(taskNames(), ", ") + ", or its full name"}
	}
	return nil
}

// need checks that the column is there.
func (c TaskChoice) need(s *data.Schema) error {
	if c.TaskColumn == "" {
		return nil
	}
	return transforms.NeedColumn(s, "taskColumn", c.TaskColumn, data.String)
}

// of is the full name of a row's type of task. An error rejects the row.
func (c TaskChoice) of(r *data.Record) (string, error) {
	name := c.Task
	if c.TaskColumn != "" {
		name = r.Get(c.TaskColumn).Text()
	}
	full, ok := taskType(name)
	if !ok {
		return "", transforms.Reject("task", "column %s has no type of task: %.40q", c.TaskColumn, name)
	}
	return full, nil
}
