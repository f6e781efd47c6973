package cql2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/store/filter"
)

// ParseText reads CQL2 text. The error is a [filter.Error].
func ParseText(s string, o Options) (filter.Expr, error) {
	if len(s) > MaxLength {
		return nil, fail(filter.Place{}, "the filter has %d bytes, %d are allowed", len(s), MaxLength)
	}
	tokens, err := scan(s)
	if err != nil {
		return nil, err
	}
	p := &parser{source: s, tokens: tokens, options: o}
	if p.next().kind == end {
		return nil, fail(filter.Place{}, "the filter is empty; write for example area_m2 > 1000")
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.next(); t.kind != end {
		return nil, fail(t.at, "%s is not expected behind a whole expression; join expressions with AND or OR", t)
	}
	return e, nil
}

// parser reads one token after the other; every level of binding is a method.
type parser struct {
	source  string
	tokens  []token
	i       int
	depth   int
	options Options
}

func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	return fmt.Sprintf("%q", shortened(t.text))
}

func (p *parser) next() token { return p.tokens[p.i] }

func (p *parser) take() token {
	t := p.tokens[p.i]
	if t.kind != end {
		p.i++
	}
	return t
}

// keyword takes the next token where it is one of the words.
func (p *parser) keyword(words ...string) (token, bool) {
	t := p.next()
	if t.kind == word && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, t.text) }) {
		return p.take(), true
	}
	return t, false
}

// sign takes the next token where it is one of the signs.
func (p *parser) sign(signs ...string) (token, bool) {
	t := p.next()
	if t.kind == sign && slices.Contains(signs, t.text) {
		return p.take(), true
	}
	return t, false
}

func (p *parser) expect(s string) error {
	if t, ok := p.sign(s); !ok {
		return fail(t.at, "%s must stand here, not %s", s, t)
	}
	return nil
}

// deeper guards the stack; its result goes one level up again.
func (p *parser) deeper() (func(), error) {
	if p.depth++; p.depth > filter.MaxDepth {
		return nil, fail(p.next().at, "the filter is nested more than %d deep", filter.MaxDepth)
	}
	return func() { p.depth-- }, nil
}

func (p *parser) or() (filter.Expr, error) {
	up, err := p.deeper()
	if err != nil {
		return nil, err
	}
	defer up()
	return p.chain(filter.Or, p.and)
}

func (p *parser) and() (filter.Expr, error) { return p.chain(filter.And, p.not) }

// chain reads terms with the same word between them into one call.
func (p *parser) chain(op filter.Op, term func() (filter.Expr, error)) (filter.Expr, error) {
	first, err := term()
	if err != nil {
		return nil, err
	}
	t, ok := p.keyword(string(op))
	if !ok {
		return first, nil
	}
	call := &filter.Call{Op: op, Args: []filter.Expr{first}, Place: t.at}
	for ; ok; _, ok = p.keyword(string(op)) {
		next, err := term()
		if err != nil {
			return nil, err
		}
		call.Args = append(call.Args, next)
	}
	return call, nil
}

func (p *parser) not() (filter.Expr, error) {
	t, ok := p.keyword("not")
	if !ok {
		return p.comparison()
	}
	up, err := p.deeper()
	if err != nil {
		return nil, err
	}
	defer up()
	e, err := p.not()
	return &filter.Call{Op: filter.Not, Args: []filter.Expr{e}, Place: t.at}, err
}

func (p *parser) comparison() (filter.Expr, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	if t, ok := p.sign("=", "<>", "<", ">", "<=", ">="); ok {
		right, err := p.sum()
		return &filter.Call{Op: filter.Op(t.text), Args: []filter.Expr{left, right}, Place: t.at}, err
	}
	if t, ok := p.keyword("is"); ok {
		_, negated := p.keyword("not")
		if u, ok := p.keyword("null"); !ok {
			return nil, fail(u.at, "NULL must stand behind IS, not %s", u)
		}
		return negate(negated, &filter.Call{Op: filter.IsNull, Args: []filter.Expr{left}, Place: t.at}), nil
	}
	before := p.i
	_, negated := p.keyword("not")
	t, ok := p.keyword("like", "between", "in")
	if !ok {
		p.i = before
		return left, nil
	}
	var rest []filter.Expr
	switch strings.ToLower(t.text) {
	case "like":
		rest, err = p.sequence(p.sum)
	case "between":
		rest, err = p.between()
	default:
		rest, err = p.list()
	}
	call := &filter.Call{Op: filter.Op(strings.ToLower(t.text)), Args: append([]filter.Expr{left}, rest...), Place: t.at}
	return negate(negated, call), err
}

func negate(negated bool, e *filter.Call) filter.Expr {
	if !negated {
		return e
	}
	return &filter.Call{Op: filter.Not, Args: []filter.Expr{e}, Place: e.Place}
}

func (p *parser) sequence(read ...func() (filter.Expr, error)) ([]filter.Expr, error) {
	var out []filter.Expr
	for _, f := range read {
		e, err := f()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (p *parser) between() ([]filter.Expr, error) {
	low, err := p.sum()
	if err != nil {
		return nil, err
	}
	if t, ok := p.keyword("and"); !ok {
		return nil, fail(t.at, "BETWEEN has AND between its bounds, not %s", t)
	}
	high, err := p.sum()
	return []filter.Expr{low, high}, err
}

// list reads expressions in parentheses with commas between them.
func (p *parser) list() ([]filter.Expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var out []filter.Expr
	for {
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		if _, more := p.sign(","); !more {
			return out, p.expect(")")
		}
	}
}

func (p *parser) sum() (filter.Expr, error) { return p.leftToRight(p.product, "+", "-") }

func (p *parser) product() (filter.Expr, error) { return p.leftToRight(p.power, "*", "/", "%", "div") }

func (p *parser) leftToRight(operand func() (filter.Expr, error), ops ...string) (filter.Expr, error) {
	left, err := operand()
	for err == nil {
		t, ok := p.sign(ops...)
		if !ok {
			if t, ok = p.keyword(ops...); !ok {
				break
			}
		}
		var right filter.Expr
		right, err = operand()
		left = &filter.Call{Op: filter.Op(strings.ToLower(t.text)), Args: []filter.Expr{left, right}, Place: t.at}
	}
	return left, err
}

// power binds to the right: 2^3^2 is 2^9.
func (p *parser) power() (filter.Expr, error) {
	base, err := p.atom()
	if err != nil {
		return nil, err
	}
	t, ok := p.sign("^")
	if !ok {
		return base, nil
	}
	up, err := p.deeper()
	if err != nil {
		return nil, err
	}
	defer up()
	exponent, err := p.power()
	return &filter.Call{Op: filter.Power, Args: []filter.Expr{base, exponent}, Place: t.at}, err
}

func (p *parser) atom() (filter.Expr, error) {
	t := p.take()
	switch t.kind {
	case number:
		return numeral(t, t.text)
	case text:
		return &filter.Literal{Value: t.text, Place: t.at}, nil
	case quoted:
		return &filter.Property{Name: t.text, Place: t.at}, nil
	case sign:
		return p.signed(t)
	case word:
		return p.word(t)
	}
	return nil, fail(t.at, "the filter ends where a property or a value must stand")
}

func numeral(t token, s string) (filter.Expr, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fail(t.at, "%s is not a number that can be kept", t)
	}
	return &filter.Literal{Value: v, Place: t.at}, nil
}

// signed reads what begins with a parenthesis or a sign.
func (p *parser) signed(t token) (filter.Expr, error) {
	switch t.text {
	case "(":
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	case "-", "+":
		if n := p.next(); n.kind == number {
			p.take()
			return numeral(n, t.text+n.text)
		}
		up, err := p.deeper()
		if err != nil {
			return nil, err
		}
		defer up()
		e, err := p.atom()
		if err != nil || t.text == "+" {
			return e, err
		}
		return &filter.Call{Op: filter.Times, Args: []filter.Expr{&filter.Literal{Value: -1.0, Place: t.at}, e}, Place: t.at}, nil
	}
	return nil, fail(t.at, "a property or a value must stand here, not %s", t)
}

func geometries() []string {
	return []string{"point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection"}
}

// word reads a property, a truth, or what stands before a parenthesis.
func (p *parser) word(t token) (filter.Expr, error) {
	lower := strings.ToLower(t.text)
	switch lower {
	case "true", "false":
		return &filter.Literal{Value: lower == "true", Place: t.at}, nil
	case "and", "or", "not", "like", "between", "in", "is", "null":
		return nil, fail(t.at, "a property or a value must stand here, not %s; a property of that name stands in double quotes", t)
	}
	if slices.Contains(geometries(), lower) {
		switch n := p.next(); {
		case n.kind == sign && n.text == "(", n.kind == word && slices.Contains([]string{"z", "m", "zm", "empty"}, strings.ToLower(n.text)):
			return p.geometry(t)
		}
	}
	if n := p.next(); n.kind != sign || n.text != "(" {
		return &filter.Property{Name: t.text, Place: t.at}, nil
	}
	switch lower {
	case "date", "timestamp":
		s, err := p.oneText()
		if err != nil {
			return nil, err
		}
		if lower == "date" {
			return day(s.text, s.at)
		}
		return timestamp(s.text, s.at)
	case "interval":
		return p.interval(t)
	case "bbox":
		return p.bbox(t)
	}
	op, ok := operation(t.text)
	if !ok {
		return nil, fail(t.at, "there is no function %s here; there are CASEI, ACCENTI, DATE, TIMESTAMP, INTERVAL, BBOX, S_INTERSECTS and its kin, T_INTERSECTS and its kin", t)
	}
	args, err := p.list()
	return &filter.Call{Op: op, Args: args, Place: t.at}, err
}

func (p *parser) oneText() (token, error) {
	if err := p.expect("("); err != nil {
		return token{}, err
	}
	t := p.take()
	if t.kind != text {
		return t, fail(t.at, "a text in single quotes must stand here, not %s", t)
	}
	return t, p.expect(")")
}

func (p *parser) interval(t token) (filter.Expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var ends [2]filter.Expr
	for i := range ends {
		var err error
		if ends[i], err = p.intervalEnd(2*i - 1); err != nil {
			return nil, err
		}
		if err := p.expect([]string{",", ")"}[i]); err != nil {
			return nil, err
		}
	}
	return interval(ends[0], ends[1], t.at)
}

// intervalEnd is a time in quotes, open (..), a property, DATE or TIMESTAMP.
func (p *parser) intervalEnd(infinite int) (filter.Expr, error) {
	if t := p.next(); t.kind == text {
		p.take()
		return bound(t.text, infinite, t.at)
	}
	return p.atom()
}

func (p *parser) bbox(t token) (filter.Expr, error) {
	args, err := p.list()
	if err != nil {
		return nil, err
	}
	numbers := make([]float64, len(args))
	for i, arg := range args {
		l, ok := arg.(*filter.Literal)
		if ok {
			numbers[i], ok = l.Value.(float64)
		}
		if !ok {
			return nil, fail(arg.Where(), "BBOX takes numbers")
		}
	}
	return p.options.box(numbers, t.at)
}

// geometry reads well-known text, from its name to the parenthesis that closes it.
func (p *parser) geometry(t token) (filter.Expr, error) {
	last, open := t.last, 0
	for {
		n := p.take()
		if n.kind == end || n.kind != sign && n.kind != number && n.kind != word {
			return nil, fail(n.at, "the geometry %s is not closed", t)
		}
		last = n.last
		if n.kind == sign && n.text == "(" {
			open++
		}
		if n.kind == sign && n.text == ")" {
			open--
		}
		if open == 0 && (n.text == ")" || strings.EqualFold(n.text, "empty")) {
			break
		}
		if open < 0 || open > 8 {
			return nil, fail(n.at, "the parentheses of the geometry %s don't match", t)
		}
	}
	g, err := geom.UnmarshalWKT(p.source[t.first:last], geom.NoValidate{})
	if err != nil {
		return nil, fail(t.at, "the geometry can't be read: %s; write for example POLYGON((141 42, 142 42, 142 43, 141 42))", err)
	}
	return p.options.lonLat(g, t.at)
}
