package tokenizer

import (
	"fmt"
	"slices"
)

// surroundings returns the ids that a post-processor puts before and behind a
// single text.
func surroundings(c *component) (before, behind []int32, err error) {
	if c == nil {
		return nil, nil, nil
	}
	switch c.Type {
	case "ByteLevel": // trims offsets, adds nothing
		return nil, nil, nil
	case "BertProcessing", "RobertaProcessing":
		if c.Cls == nil || c.Sep == nil {
			return nil, nil, fmt.Errorf("post-processor %s wants cls and sep", c.Type)
		}
		return []int32{c.Cls.id}, []int32{c.Sep.id}, nil
	case "TemplateProcessing":
		return template(c)
	case "Sequence":
		for i := range c.Processors {
			outerBefore, outerBehind, err := surroundings(&c.Processors[i])
			if err != nil {
				return nil, nil, err
			}
			before = slices.Concat(outerBefore, before)
			behind = slices.Concat(behind, outerBehind)
		}
		return before, behind, nil
	}
	return nil, nil, fmt.Errorf("post-processor %q is not supported", c.Type)
}

func template(c *component) (before, behind []int32, err error) {
	seen := false
	for _, piece := range c.Single {
		switch {
		case piece.Sequence != nil && !seen:
			seen = true
		case piece.SpecialToken != nil:
			token, ok := c.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("post-processor TemplateProcessing: special token %q is not defined", piece.SpecialToken.ID)
			}
			if seen {
				behind = append(behind, token.IDs...)
			} else {
				before = append(before, token.IDs...)
			}
		default:
			return nil, nil, fmt.Errorf("post-processor TemplateProcessing: single is not special tokens around one sequence")
		}
	}
	if !seen {
		return nil, nil, fmt.Errorf("post-processor TemplateProcessing: single has no sequence")
	}
	return before, behind, nil
}

// surround asks for a token before and one behind the text, as far as they are
// wanted and known.
func (d *definition) surround(bos int32, wantBOS bool, eos int32, wantEOS bool) {
	var around []templatePiece
	tokens := map[string]templateToken{}
	special := func(name string, id int32, wanted bool) {
		if !wanted || id == none {
			return
		}
		piece := templatePiece{SpecialToken: &templateName{name}}
		around, tokens[name] = append(around, piece), templateToken{IDs: []int32{id}}
	}
	special("bos", bos, wantBOS)
	around = append(around, templatePiece{Sequence: &templateName{"A"}})
	special("eos", eos, wantEOS)
	d.PostProcessor = &component{Type: "TemplateProcessing", Single: around, SpecialTokens: tokens}
}
