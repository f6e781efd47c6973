package filter

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/peterstace/simplefeatures/geom"
)

// Bounds of an expression, so that no filter costs more to plan than to answer.
const (
	MaxNodes = 2000
	MaxDepth = 100
)

// Check says why the expression can't be a filter over fields of the given
// types: an [Error].
func Check(e Expr, fields map[string]Type) error {
	c := &checker{fields: fields}
	t, err := c.typeOf(e, 0)
	if err == nil && t != Bool {
		err = wrong(e, "the filter is %s, it must be true or false; compare it with something", t)
	}
	return err
}

type checker struct {
	fields map[string]Type
	nodes  int
}

func (c *checker) typeOf(e Expr, depth int) (Type, error) {
	if c.nodes++; c.nodes > MaxNodes {
		return 0, wrong(e, "the filter has more than %d parts", MaxNodes)
	}
	if depth > MaxDepth {
		return 0, wrong(e, "the filter is nested more than %d deep", MaxDepth)
	}
	switch e := e.(type) {
	case *Property:
		if t, ok := c.fields[e.Name]; ok {
			return t, nil
		}
		return 0, wrong(e, "there is no property %q; there are %s", shortened(e.Name), strings.Join(slices.Sorted(maps.Keys(c.fields)), ", "))
	case *Literal:
		return literal(e)
	case *Call:
		types := make([]Type, len(e.Args))
		for i, arg := range e.Args {
			var err error
			if types[i], err = c.typeOf(arg, depth+1); err != nil {
				return 0, err
			}
		}
		return call(e, types)
	}
	return 0, fmt.Errorf("an expression of type %T", e)
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func literal(l *Literal) (Type, error) {
	switch v := l.Value.(type) {
	case string:
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return 0, wrong(l, "the text is not UTF-8, or holds a NUL character")
		}
		return Text, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, wrong(l, "the number is too large")
		}
		return Number, nil
	case bool:
		return Bool, nil
	case Moment:
		return Time, nil
	case Day:
		return Date, nil
	case geom.Geometry:
		if v.IsEmpty() {
			return 0, wrong(l, "the geometry is empty")
		}
		return Geometry, nil
	}
	return 0, wrong(l, "a value of type %T", l.Value)
}

// call checks one operation against its arguments' types.
func call(c *Call, types []Type) (Type, error) {
	count := func(least, most int) error {
		if n := len(types); n < least || n > most {
			return wrong(c, "%s has %d arguments", c.Op, n)
		}
		return nil
	}
	all := func(result Type, least, most int, want ...Type) (Type, error) {
		if err := count(least, most); err != nil {
			return 0, err
		}
		for i, t := range types {
			if !slices.Contains(want, t) {
				return 0, wrong(c.Args[i], "%s takes %s, this is %s", strings.ToUpper(string(c.Op)), listed(want), t)
			}
		}
		return result, nil
	}
	switch c.Op {
	case And, Or:
		return all(Bool, 2, MaxNodes, Bool)
	case Not:
		return all(Bool, 1, 1, Bool)
	case Equal, Unequal, Less, Greater, AtMost, AtLeast, Between, In:
		return Bool, comparable(c, types)
	case Like:
		if t, err := all(Bool, 2, 2, Text); err != nil {
			return t, err
		}
		return Bool, pattern(c.Args[1])
	case IsNull:
		return Bool, count(1, 1)
	case CaseI, AccentI:
		return all(Text, 1, 1, Text)
	case Plus, Minus, Times, Over, Modulo, Div, Power:
		return all(Number, 2, 2, Number)
	case Interval:
		return all(Period, 2, 2, Time, Date)
	}
	if slices.Contains(Spatial(), c.Op) {
		t, err := all(Bool, 2, 2, Geometry)
		if err == nil && c.Op != SIntersects && c.Op != SDisjoint {
			err = noCollections(c)
		}
		return t, err
	}
	if slices.Contains(Temporal(), c.Op) {
		return all(Bool, 2, 2, Time, Date, Period)
	}
	return 0, wrong(c, "there is no operation %q", shortened(string(c.Op)))
}

func listed(types []Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return strings.Join(names, " or ")
}

// comparable checks that all arguments are of one kind that has an order, or
// where nothing but equality is asked, of any kind that has one.
func comparable(c *Call, types []Type) error {
	least, most := 2, 2
	switch c.Op {
	case Between:
		least, most = 3, 3
	case In:
		most = MaxNodes
	}
	if n := len(types); n < least || n > most {
		return wrong(c, "%s has %d arguments", c.Op, n)
	}
	kind := func(t Type) Type {
		if t == Date {
			return Time
		}
		return t
	}
	for i, t := range types {
		switch {
		case t == Geometry:
			return wrong(c.Args[i], "geometries are compared with S_EQUALS, S_INTERSECTS and the like")
		case t == Period:
			return wrong(c.Args[i], "intervals are compared with T_EQUALS, T_INTERSECTS and the like")
		case t == Bool && c.Op != Equal && c.Op != Unequal && c.Op != In:
			return wrong(c.Args[i], "truths have no order; compare them with = or <>")
		case kind(t) != kind(types[0]):
			hint := ""
			if kind(t) == Time && types[0] == Text || t == Text && kind(types[0]) == Time {
				hint = "; write times as TIMESTAMP('2018-09-10T01:30:00Z') or DATE('2018-09-10')"
			}
			return wrong(c.Args[i], "%s can't be compared with %s%s", types[0], t, hint)
		}
	}
	return nil
}

// pattern checks LIKE's right side: a text, in CASEI and ACCENTI if at all.
func pattern(e Expr) error {
	switch e := e.(type) {
	case *Literal:
		s, _ := e.Value.(string)
		if n := len(s) - len(strings.TrimRight(s, `\`)); n%2 == 1 {
			return wrong(e, `the pattern ends with \, which must have a character behind it`)
		}
		return nil
	case *Call:
		if e.Op == CaseI || e.Op == AccentI {
			return pattern(e.Args[0])
		}
	}
	return wrong(e, "the pattern of LIKE must be a text such as 'bb%%'")
}

// noCollections refuses what predicates other than S_INTERSECTS and S_DISJOINT have no answer for.
func noCollections(c *Call) error {
	for _, arg := range c.Args {
		if l, ok := arg.(*Literal); ok {
			if g, ok := l.Value.(geom.Geometry); ok && g.Type() == geom.TypeGeometryCollection {
				return wrong(l, "%s can't answer for a GEOMETRYCOLLECTION; write a MULTIPOINT, MULTILINESTRING or MULTIPOLYGON", strings.ToUpper(string(c.Op)))
			}
		}
	}
	return nil
}
