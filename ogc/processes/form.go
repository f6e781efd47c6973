package processes

import (
	"encoding/json"
	"slices"
)

// field is an input as a form asks for it.
type field struct {
	ID, Title, Description string
	// Kind is vector, event, model, area, scenes, choice, boolean, number, integer, text, json, or either of the last two.
	Kind     string
	Required bool
	Options  []any
	Min, Max any
	Value    string // what stands in it at first
	Example  string
}

// fields derives a form from the schemas of inputs.
func fields(inputs inputDocs) []field {
	var out []field
	for _, id := range inputs.ids() {
		in := inputs[id]
		f := field{ID: id, Title: in.Title, Description: in.Description, Required: in.MinOccurs > 0, Kind: "json"}
		s := in.Schema
		f.Value, f.Example = shown(s["default"]), shown(s["example"])
		f.Min, f.Max = s["minimum"], s["maximum"]
		kind, _ := s["type"].(string)
		switch {
		case in.bulk:
			f.Kind = "vector"
		case in.form != "":
			f.Kind = in.form
		case s["enum"] != nil:
			f.Kind, f.Options = "choice", s["enum"].([]any)
		case kind == "number", kind == "integer", kind == "boolean":
			f.Kind = kind
		case kind == "string":
			f.Kind = "text"
		case slices.ContainsFunc(anyOf(s["oneOf"]), func(o any) bool { return o.(object)["type"] == "string" }):
			f.Kind = "either"
		}
		if options := anyOf(s["oneOf"]); f.Example == "" && len(options) > 0 {
			f.Example = shown(options[0].(object)["example"])
		}
		out = append(out, f)
	}
	return out
}

func anyOf(v any) []any {
	list, _ := v.([]any)
	return list
}

// shown is a value as it stands in a field: text as it is, else JSON.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
