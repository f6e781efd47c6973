package processes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/scarp-map/scarp/ogc/common"
)

// maxBody bounds the body of an execute request in bytes.
const maxBody = 16 << 20

// maxSmall bounds an input that is no vector data, which is looked at as a whole.
const maxSmall = 2 << 20

// order is an execute request.
type order struct {
	// Inputs are what is checked: vector data without its features.
	Inputs map[string]any
	// raw holds the inputs as they were sent, without their qualification.
	raw        map[string]json.RawMessage
	subscriber *subscriber
	wishes
}

// subscriber says who wants to be told of the job.
type subscriber struct {
	Success    string `json:"successUri"`
	InProgress string `json:"inProgressUri"`
	Failed     string `json:"failedUri"`
}

// wishes is what the client wants of the results; it is kept with the job.
type wishes struct {
	Outputs  map[string]wish `json:"outputs,omitempty"`
	Response string          `json:"response,omitempty"` // raw, document or empty
	// Base is the server's address as the client knew it, for links in callbacks.
	Base string `json:"base,omitempty"`
}

type wish struct {
	TransmissionMode string      `json:"transmissionMode,omitempty"`
	Format           *wishFormat `json:"format,omitempty"`
}

type wishFormat struct {
	MediaType string `json:"mediaType,omitempty"`
}

// parseOrder reads an execute request and checks everything but the inputs' values.
func parseOrder(body []byte, d description) (order, error) {
	var o order
	var raw struct {
		Inputs     map[string]json.RawMessage `json:"inputs"`
		Outputs    map[string]wish            `json:"outputs"`
		Response   string                     `json:"response"`
		Subscriber *subscriber                `json:"subscriber"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&raw); err != nil {
		return o, common.BadRequest("the body is not an execute request in JSON: %s", jsonReason(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return o, common.BadRequest("the body has something behind the execute request")
	}
	var reasons []string
	if raw.Subscriber != nil && raw.Subscriber.Success == "" {
		reasons = append(reasons, "subscriber: successUri is missing")
	}
	if !slices.Contains([]string{"", "raw", "document"}, raw.Response) {
		reasons = append(reasons, fmt.Sprintf("response: %s must be raw or document", common.Quote(raw.Response)))
	}
	for id, w := range raw.Outputs {
		out, ok := d.Outputs[id]
		if !ok {
			reasons = append(reasons, fmt.Sprintf("outputs: there is no output %s; there are %s", common.Quote(id), strings.Join(d.outputIDs(), ", ")))
			continue
		}
		if !slices.Contains([]string{"", "value", "reference"}, w.TransmissionMode) {
			reasons = append(reasons, fmt.Sprintf("outputs: %s: transmissionMode %s must be value or reference", id, common.Quote(w.TransmissionMode)))
		}
		if w.Format != nil && w.Format.MediaType != "" && !sameMediaType(w.Format.MediaType, out.mediaType) {
			reasons = append(reasons, fmt.Sprintf("outputs: %s comes as %s, not as %s", id, out.mediaType, common.Quote(w.Format.MediaType)))
		}
	}
	o.Inputs, o.raw, o.Outputs, o.Response, o.subscriber = map[string]any{}, map[string]json.RawMessage{}, raw.Outputs, raw.Response, raw.Subscriber
	for k, v := range raw.Inputs {
		in := d.Inputs[k] // one that is not known is refused by the schema
		if !in.bulk && len(v) > maxSmall {
			reasons = append(reasons, fmt.Sprintf("inputs: %s has %d bytes; at most %d are accepted", common.Quote(k), len(v), maxSmall))
			continue
		}
		o.raw[k] = unqualified(v, in.bulk)
		o.Inputs[k] = view(o.raw[k], in.bulk)
	}
	if len(reasons) > 0 {
		sort.Strings(reasons)
		return o, invalid(reasons)
	}
	return o, nil
}

func jsonReason(err error) string {
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func sameMediaType(a, b string) bool {
	a, _, _ = strings.Cut(a, ";")
	b, _, _ = strings.Cut(b, ";")
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// unqualified takes the value out of {"value": …, "mediaType": …}, also in
// arrays, which bulk inputs have no need of.
func unqualified(v json.RawMessage, bulk bool) json.RawMessage {
	switch first(v) {
	case '[':
		var list []json.RawMessage
		if bulk || json.Unmarshal(v, &list) != nil {
			return v
		}
		for i := range list {
			list[i] = unqualified(list[i], false)
		}
		if out, err := json.Marshal(list); err == nil {
			return out
		}
	case '{':
		var members map[string]json.RawMessage
		if json.Unmarshal(v, &members) != nil || members["value"] == nil {
			return v
		}
		for k := range members {
			if !slices.Contains([]string{"value", "mediaType", "encoding", "schema", "format"}, k) {
				return v
			}
		}
		return members["value"]
	}
	return v
}

func first(v json.RawMessage) byte {
	if v = bytes.TrimLeft(v, " \t\r\n"); len(v) > 0 {
		return v[0]
	}
	return 0
}

// view decodes an input for the schema. Of bulk inputs only the outermost
// members are seen, and of those only short ones: the features are the business
// of whoever reads them, one at a time.
func view(v json.RawMessage, bulk bool) any {
	const short = 4096
	var out any
	if bulk && first(v) == '{' {
		var members map[string]json.RawMessage
		if json.Unmarshal(v, &members) != nil {
			return nil
		}
		shown := object{}
		for k, m := range members {
			if len(m) <= short {
				shown[k] = view(m, false)
			} else {
				shown[k] = nil
			}
		}
		return shown
	}
	if bulk && len(v) > short {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

// compileInputs makes one schema of all inputs of a process.
func compileInputs(id string, inputs map[string]inputDoc) (*jsonschema.Schema, error) {
	props, required := object{}, []any{}
	for name, in := range inputs {
		s := numericBounds(in.Schema)
		if in.MaxOccurs != 1 {
			s = object{"anyOf": []any{s, object{"type": "array", "minItems": 1, "maxItems": in.MaxOccurs, "items": s}}}
		}
		props[name] = s
		if in.MinOccurs > 0 {
			required = append(required, name)
		}
	}
	// The compiler wants what the JSON decoder would give it.
	b, err := json.Marshal(object{"type": "object", "properties": props, "required": required, "additionalProperties": false})
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	name := "scarp:" + id
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// numericBounds is the schema in the dialect of the validator. Process descriptions are in that of OpenAPI 3.0 (OGC
// 18-062r2, schema.yaml), where exclusiveMinimum says of minimum that it is excluded; in JSON Schema it is a bound itself.
func numericBounds(schema object) object {
	out := maps.Clone(schema)
	for bound, exclusive := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
		if out[exclusive] == true {
			out[exclusive] = out[bound]
			delete(out, bound)
		}
	}
	for key, v := range out {
		switch v := v.(type) {
		case object:
			out[key] = numericBounds(v)
		case []any:
			list := slices.Clone(v)
			for i := range list {
				if o, ok := list[i].(object); ok {
					list[i] = numericBounds(o)
				}
			}
			out[key] = list
		}
	}
	return out
}

// checkInputs returns a problem with every reason why the inputs don't fit the schema.
func checkInputs(s *jsonschema.Schema, inputs map[string]any) error {
	var v *jsonschema.ValidationError
	err := s.Validate(inputs)
	if err == nil {
		return nil
	}
	if !errors.As(err, &v) {
		return fmt.Errorf("validate inputs: %w", err)
	}
	var reasons []string
	leaves(v, message.NewPrinter(language.English), &reasons)
	sort.Strings(reasons)
	return invalid(slices.Compact(reasons))
}

// leaves collects the innermost reasons: those that say what is wrong rather
// than that something is.
func leaves(v *jsonschema.ValidationError, p *message.Printer, into *[]string) {
	if len(v.Causes) > 0 {
		for _, c := range v.Causes {
			leaves(c, p, into)
		}
		return
	}
	where := strings.Join(v.InstanceLocation, "/")
	if where != "" {
		where += ": "
	}
	*into = append(*into, where+v.ErrorKind.LocalizedString(p))
}

// maxReasons bounds what a problem lists.
const maxReasons = 20

func invalid(reasons []string) error {
	if len(reasons) > maxReasons {
		reasons = append(reasons[:maxReasons:maxReasons], fmt.Sprintf("and %d more", len(reasons)-maxReasons))
	}
	return &common.Problem{Status: http.StatusBadRequest, Type: exceptionBase + "invalid-parameter-value", Title: "Bad execute request",
		Detail: strings.Join(reasons, "; "), Errors: reasons}
}
