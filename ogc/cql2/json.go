package cql2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/store/filter"
)

// ParseJSON reads CQL2 JSON. The error is a [filter.Error].
func ParseJSON(s []byte, o Options) (filter.Expr, error) {
	if len(s) > MaxLength {
		return nil, fail(filter.Place{}, "the filter has %d bytes, %d are allowed", len(s), MaxLength)
	}
	d := json.NewDecoder(bytes.NewReader(s))
	var v any
	err := d.Decode(&v)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fail(filter.Place{Character: int(syntax.Offset)}, "the filter is not JSON: %s", err)
	case errors.Is(err, io.EOF):
		return nil, fail(filter.Place{}, `the filter is empty; write for example {"op": ">", "args": [{"property": "area_m2"}, 1000]}`)
	case err != nil:
		return nil, fail(filter.Place{}, "the filter is not JSON: %s", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(filter.Place{Character: int(d.InputOffset()) + 1}, "something stands behind the filter")
	}
	return jsonParser{o}.expr(v, "", 0)
}

type jsonParser struct{ options Options }

func (p jsonParser) expr(v any, pointer string, depth int) (filter.Expr, error) {
	at := filter.Place{Pointer: pointer}
	if pointer == "" {
		at.Pointer = "/"
	}
	if depth > filter.MaxDepth {
		return nil, fail(at, "the filter is nested more than %d deep", filter.MaxDepth)
	}
	switch v := v.(type) {
	case string, float64, bool:
		return &filter.Literal{Value: v, Place: at}, nil
	case map[string]any:
		return p.object(v, pointer, at, depth)
	case nil:
		return nil, fail(at, `null is no value; ask {"op": "isNull", "args": [{"property": "…"}]}`)
	}
	return nil, fail(at, "an array has no meaning here; it may be the list of in, or the args of an operation")
}

// object reads what has a member that says what it is.
func (p jsonParser) object(v map[string]any, pointer string, at filter.Place, depth int) (filter.Expr, error) {
	str := func(name string) (string, error) {
		s, ok := v[name].(string)
		if !ok {
			return "", fail(filter.Place{Pointer: pointer + "/" + name}, "%s must be a text", name)
		}
		return s, nil
	}
	has := func(name string) bool { _, ok := v[name]; return ok }
	switch {
	case has("op"):
		return p.call(v, pointer, at, depth)
	case has("property"):
		name, err := str("property")
		return &filter.Property{Name: name, Place: at}, err
	case has("date"):
		s, err := str("date")
		if err != nil {
			return nil, err
		}
		return day(s, at)
	case has("timestamp"):
		s, err := str("timestamp")
		if err != nil {
			return nil, err
		}
		return timestamp(s, at)
	case has("interval"):
		return p.interval(v["interval"], pointer+"/interval", depth)
	case has("bbox"):
		return p.bbox(v["bbox"], filter.Place{Pointer: pointer + "/bbox"})
	case has("type"):
		return p.geometry(v, at)
	}
	return nil, fail(at, "an object must have one of op, property, date, timestamp, interval, bbox, or type for a GeoJSON geometry")
}

// infix lists the operations that are not written as functions.
func infix() []filter.Op {
	return []filter.Op{filter.And, filter.Or, filter.Not, filter.Equal, filter.Unequal, filter.Less, filter.Greater, filter.AtMost, filter.AtLeast,
		filter.Like, filter.Between, filter.In, filter.IsNull, filter.Plus, filter.Minus, filter.Times, filter.Over, filter.Modulo, filter.Div, filter.Power}
}

func (p jsonParser) call(v map[string]any, pointer string, at filter.Place, depth int) (filter.Expr, error) {
	name, _ := v["op"].(string)
	op, ok := operation(name)
	if i := slices.IndexFunc(infix(), func(o filter.Op) bool { return string(o) == name }); i >= 0 {
		op, ok = infix()[i], true
	}
	if !ok || strings.EqualFold(name, "interval") {
		return nil, fail(filter.Place{Pointer: pointer + "/op"}, "there is no operation %q here", shortened(fmt.Sprint(v["op"])))
	}
	args, ok := v["args"].([]any)
	if !ok {
		return nil, fail(at, "%s must have args, an array", op)
	}
	call := &filter.Call{Op: op, Place: at}
	for i, arg := range args {
		here := fmt.Sprintf("%s/args/%d", pointer, i)
		if items, ok := arg.([]any); ok && op == filter.In && i == 1 && len(args) == 2 {
			for j, item := range items {
				e, err := p.expr(item, fmt.Sprintf("%s/%d", here, j), depth+1)
				if err != nil {
					return nil, err
				}
				call.Args = append(call.Args, e)
			}
			continue
		}
		e, err := p.expr(arg, here, depth+1)
		if err != nil {
			return nil, err
		}
		call.Args = append(call.Args, e)
	}
	return call, nil
}

func (p jsonParser) interval(v any, pointer string, depth int) (filter.Expr, error) {
	at := filter.Place{Pointer: pointer}
	ends, ok := v.([]any)
	if !ok || len(ends) != 2 {
		return nil, fail(at, "interval must be an array of two times, dates, properties or ..")
	}
	var read [2]filter.Expr
	for i, e := range ends {
		var err error
		if s, ok := e.(string); ok {
			read[i], err = bound(s, 2*i-1, filter.Place{Pointer: fmt.Sprintf("%s/%d", pointer, i)})
		} else {
			read[i], err = p.expr(e, fmt.Sprintf("%s/%d", pointer, i), depth+1)
		}
		if err != nil {
			return nil, err
		}
	}
	return interval(read[0], read[1], at)
}

func (p jsonParser) bbox(v any, at filter.Place) (filter.Expr, error) {
	items, _ := v.([]any)
	numbers := make([]float64, len(items))
	for i, item := range items {
		var ok bool
		if numbers[i], ok = item.(float64); !ok {
			return nil, fail(at, "bbox must be an array of numbers")
		}
	}
	return p.options.box(numbers, at)
}

func (p jsonParser) geometry(v map[string]any, at filter.Place) (filter.Expr, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fail(at, "the geometry can't be read: %s", err)
	}
	g, err := geom.UnmarshalGeoJSON(b, geom.NoValidate{})
	if err != nil {
		return nil, fail(at, "the geometry can't be read: %s", err)
	}
	return p.options.lonLat(g, at)
}
