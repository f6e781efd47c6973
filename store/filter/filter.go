// Package filter has the expressions by which landslides are selected: a tree
// that query languages are parsed into, the check of its types against the
// fields that there are, and its translation to SQL with parameters.
//
// A truth is SQL's: what is compared with nothing (NULL) is neither true nor
// false, and selects nothing. Texts compare by Unicode code point. A date
// stands for its whole day in UTC.
package filter

import (
	"fmt"
	"time"

	"github.com/peterstace/simplefeatures/geom"
)

// Expr is an expression: a [Call], a [Property] or a [Literal].
type Expr interface{ Where() Place }

// Call applies an operation to arguments.
type Call struct {
	Op   Op
	Args []Expr
	Place
}

// Property is a field's value.
type Property struct {
	Name string
	Place
}

// Literal is a value: a string, a float64, a bool, a [Moment], a [Day] or a
// valid [geom.Geometry] in longitude and latitude that is not empty.
type Literal struct {
	Value any
	Place
}

// Place says where in its text an expression stands: at a character, counted
// from 1, or at a JSON Pointer.
type Place struct {
	Character int
	Pointer   string
}

// Where returns the place itself.
func (p Place) Where() Place { return p }

// String names the place, "" where it is not known.
func (p Place) String() string {
	switch {
	case p.Character > 0:
		return fmt.Sprintf("at character %d", p.Character)
	case p.Pointer != "":
		return "at " + p.Pointer
	}
	return ""
}

// Moment is a time, or with Infinite -1 and 1 before or after all times.
type Moment struct {
	time.Time
	Infinite int
}

// Day is a date, whose time is its beginning in UTC.
type Day time.Time

// ends are the first and last moment of the day; stores keep milliseconds.
func (d Day) ends() (Moment, Moment) {
	t := time.Time(d)
	return Moment{Time: t}, Moment{Time: t.Add(24*time.Hour - time.Millisecond)}
}

// Op names an operation, by the names of CQL2's JSON form.
type Op string

// The operations. In compares its first argument with all others; Interval
// makes a period of two times.
const (
	And, Or, Not                 Op = "and", "or", "not"
	Equal, Unequal               Op = "=", "<>"
	Less, Greater, AtMost        Op = "<", ">", "<="
	AtLeast                      Op = ">="
	Like, Between, In, IsNull    Op = "like", "between", "in", "isNull"
	CaseI, AccentI               Op = "casei", "accenti"
	Plus, Minus, Times           Op = "+", "-", "*"
	Over, Modulo, Div, Power     Op = "/", "%", "div", "^"
	Interval                     Op = "interval"
	SIntersects, SEquals         Op = "s_intersects", "s_equals"
	SDisjoint, STouches, SWithin Op = "s_disjoint", "s_touches", "s_within"
	SOverlaps, SCrosses          Op = "s_overlaps", "s_crosses"
	SContains                    Op = "s_contains"
)

// Temporal lists the operations that compare times or periods.
func Temporal() []Op {
	return []Op{"t_after", "t_before", "t_contains", "t_disjoint", "t_during", "t_equals", "t_finishedBy", "t_finishes",
		"t_intersects", "t_meets", "t_metBy", "t_overlappedBy", "t_overlaps", "t_startedBy", "t_starts"}
}

// Spatial lists the operations that compare geometries.
func Spatial() []Op {
	return []Op{SIntersects, SEquals, SDisjoint, STouches, SWithin, SOverlaps, SCrosses, SContains}
}

// Type is the kind of value that an expression has.
type Type int

// The types.
const (
	Bool Type = iota + 1
	Number
	Text
	Time
	Date
	Period
	Geometry
)

func (t Type) String() string {
	return map[Type]string{Bool: "a truth", Number: "a number", Text: "a text", Time: "a time", Date: "a date", Period: "an interval", Geometry: "a geometry"}[t]
}

// Error says what is wrong with an expression, and where.
type Error struct {
	Place
	Problem string
}

func (e *Error) Error() string {
	if at := e.Place.String(); at != "" {
		return at + ": " + e.Problem
	}
	return e.Problem
}

func wrong(at Expr, format string, args ...any) error {
	return &Error{at.Where(), fmt.Sprintf(format, args...)}
}

// Box returns a rectangle outside of which no landslide can match, and false
// where there is none to tell.
func Box(e Expr) (geom.Envelope, bool) {
	c, ok := e.(*Call)
	if !ok {
		return geom.Envelope{}, false
	}
	switch c.Op {
	case And:
		return boxOfAll(c.Args)
	case SIntersects, SEquals, STouches, SWithin, SOverlaps, SCrosses, SContains:
		for i, arg := range c.Args {
			_, property := c.Args[len(c.Args)-1-i].(*Property)
			if literal, ok := arg.(*Literal); ok && property {
				if g, ok := literal.Value.(geom.Geometry); ok {
					return g.Envelope(), true
				}
			}
		}
	}
	return geom.Envelope{}, false
}

// boxOfAll is the smallest of the boxes of terms that must all be true.
func boxOfAll(terms []Expr) (best geom.Envelope, found bool) {
	for _, t := range terms {
		if b, ok := Box(t); ok && (!found || b.Area() < best.Area()) {
			best, found = b, true
		}
	}
	return best, found
}
