package filter

import (
	"fmt"
	"strings"

	"github.com/peterstace/simplefeatures/geom"
)

// SQL is a piece of SQL in which each ? is one of Args.
type SQL struct {
	Text string
	Args []any
}

// Concat puts strings and pieces of SQL one after the other.
func Concat(parts ...any) SQL {
	var text strings.Builder
	var out SQL
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			text.WriteString(p)
		case SQL:
			text.WriteString(p.Text)
			out.Args = append(out.Args, p.Args...)
		default:
			panic(fmt.Sprintf("filter.Concat: a %T", p)) // a mistake of the caller's, not of a request's
		}
	}
	out.Text = text.String()
	return out
}

// Dialect writes what databases write differently. Values go into SQL.Args only.
type Dialect interface {
	// Column is a field's value.
	Column(name string, t Type) SQL
	Number(float64) SQL
	Text(string) SQL
	Bool(bool) SQL
	Time(Moment) SQL
	Geometry(geom.Geometry) (SQL, error)
	// CaseI folds case, by Unicode's upper case and then lower case; AccentI drops the marks U+0300 to U+036F.
	CaseI(SQL) SQL
	AccentI(SQL) SQL
	// Like matches with % and _, and \ before a character that is meant itself.
	Like(value, pattern SQL) SQL
	// Arithmetic is NULL where it divides by zero, and fails where numbers overflow.
	Arithmetic(op Op, a, b SQL) SQL
	Spatial(op Op, a, b SQL) SQL
}

// Compile writes the expression, which must have passed [Check] with the same fields.
func Compile(e Expr, fields map[string]Type, d Dialect) (SQL, error) {
	return compiler{fields, d}.expr(e)
}

type compiler struct {
	fields map[string]Type
	Dialect
}

func (c compiler) expr(e Expr) (SQL, error) {
	switch e := e.(type) {
	case *Property:
		return c.Column(e.Name, c.fields[e.Name]), nil
	case *Literal:
		switch v := e.Value.(type) {
		case string:
			return c.Text(v), nil
		case float64:
			return c.Number(v), nil
		case bool:
			return c.Bool(v), nil
		case geom.Geometry:
			return c.Geometry(v)
		}
	case *Call:
		return c.call(e)
	}
	return SQL{}, fmt.Errorf("compile filter: a %T that was not checked", e)
}

func (c compiler) call(e *Call) (SQL, error) {
	switch {
	case e.Op == Between:
		return c.call(&Call{Op: And, Args: []Expr{
			&Call{Op: AtLeast, Args: []Expr{e.Args[0], e.Args[1]}}, &Call{Op: AtMost, Args: []Expr{e.Args[0], e.Args[2]}}}})
	case e.Op == IsNull:
		x, err := c.value(e.Args[0])
		return Concat("(", x, " IS NULL)"), err
	case strings.HasPrefix(string(e.Op), "t_"):
		return c.temporal(e)
	case e.Op == In && c.isTime(e.Args[0]):
		or := &Call{Op: Or}
		for _, item := range e.Args[1:] {
			or.Args = append(or.Args, &Call{Op: Equal, Args: []Expr{e.Args[0], item}})
		}
		return c.call(or)
	case isComparison(e.Op) && c.isTime(e.Args[0]):
		return c.compareTimes(e)
	}
	args := make([]SQL, len(e.Args))
	for i, arg := range e.Args {
		var err error
		if args[i], err = c.expr(arg); err != nil {
			return SQL{}, err
		}
	}
	switch e.Op {
	case And, Or:
		return join(args, " "+strings.ToUpper(string(e.Op))+" "), nil
	case Not:
		return Concat("(NOT ", args[0], ")"), nil
	case Equal, Unequal, Less, Greater, AtMost, AtLeast:
		return Concat("(", args[0], " "+string(e.Op)+" ", args[1], ")"), nil
	case In:
		return Concat("(", args[0], " IN ", join(args[1:], ", "), ")"), nil
	case Like:
		return c.Like(args[0], args[1]), nil
	case CaseI:
		return c.CaseI(args[0]), nil
	case AccentI:
		return c.AccentI(args[0]), nil
	case Plus, Minus, Times, Over, Modulo, Div, Power:
		return c.Arithmetic(e.Op, args[0], args[1]), nil
	}
	return c.Spatial(e.Op, args[0], args[1]), nil
}

// value is an expression that may also be a time, for IS NULL.
func (c compiler) value(e Expr) (SQL, error) {
	if c.isTime(e) || isInterval(e) {
		from, _, err := c.ends(e)
		return from, err
	}
	return c.expr(e)
}

func join(parts []SQL, between string) SQL {
	all := []any{"("}
	for i, p := range parts {
		if i > 0 {
			all = append(all, between)
		}
		all = append(all, p)
	}
	return Concat(append(all, ")")...)
}
