package filter

import "fmt"

// Times, dates and intervals are all compared by their first and last moment.

func isInterval(e Expr) bool {
	call, ok := e.(*Call)
	return ok && call.Op == Interval
}

func isDate(e Expr) bool {
	l, ok := e.(*Literal)
	if !ok {
		return false
	}
	_, ok = l.Value.(Day)
	return ok
}

func (c compiler) isTime(e Expr) bool {
	switch e := e.(type) {
	case *Property:
		return c.fields[e.Name] == Time
	case *Literal:
		_, ok := e.Value.(Moment)
		return ok || isDate(e)
	}
	return false
}

func isComparison(op Op) bool {
	switch op {
	case Equal, Unequal, Less, Greater, AtMost, AtLeast:
		return true
	}
	return false
}

// ends are the first and the last moment of a time, a date or an interval.
func (c compiler) ends(e Expr) (first, last SQL, err error) {
	switch e := e.(type) {
	case *Property:
		column := c.Column(e.Name, Time)
		return column, column, nil
	case *Literal:
		switch v := e.Value.(type) {
		case Moment:
			return c.Time(v), c.Time(v), nil
		case Day:
			from, to := v.ends()
			return c.Time(from), c.Time(to), nil
		}
	case *Call:
		if e.Op == Interval {
			first, _, err = c.ends(e.Args[0])
			if err != nil {
				return first, last, err
			}
			_, last, err = c.ends(e.Args[1])
			return first, last, err
		}
	}
	return first, last, fmt.Errorf("compile filter: %T is no time", e)
}

// compareTimes takes a date as its whole day: equal is what lies in it, less what lies before it.
func (c compiler) compareTimes(e *Call) (SQL, error) {
	a0, a1, err := c.ends(e.Args[0])
	if err != nil {
		return SQL{}, err
	}
	b0, b1, err := c.ends(e.Args[1])
	if err != nil {
		return SQL{}, err
	}
	same := Concat("(", a0, " <= ", b1, " AND ", a1, " >= ", b0, ")")
	switch e.Op {
	case Equal:
		return same, nil
	case Unequal:
		return Concat("(NOT ", same, ")"), nil
	case Less:
		return Concat("(", a1, " < ", b0, ")"), nil
	case AtMost:
		return Concat("(", a0, " <= ", b1, ")"), nil
	case Greater:
		return Concat("(", a0, " > ", b1, ")"), nil
	}
	return Concat("(", a1, " >= ", b0, ")"), nil
}

// temporal writes Allen's relations of a and b by their ends. An interval that
// ends before it begins matches nothing in particular.
func (c compiler) temporal(e *Call) (SQL, error) {
	a0, a1, err := c.ends(e.Args[0])
	if err != nil {
		return SQL{}, err
	}
	b0, b1, err := c.ends(e.Args[1])
	if err != nil {
		return SQL{}, err
	}
	and := " AND "
	switch e.Op {
	case "t_after":
		return Concat("(", a0, " > ", b1, ")"), nil
	case "t_before":
		return Concat("(", a1, " < ", b0, ")"), nil
	case "t_contains":
		return Concat("(", a0, " < ", b0, and, a1, " > ", b1, ")"), nil
	case "t_disjoint":
		return Concat("(", a1, " < ", b0, " OR ", a0, " > ", b1, ")"), nil
	case "t_during":
		return Concat("(", a0, " > ", b0, and, a1, " < ", b1, ")"), nil
	case "t_equals":
		if isDate(e.Args[0]) != isDate(e.Args[1]) && c.isTime(e.Args[0]) && c.isTime(e.Args[1]) {
			return c.compareTimes(&Call{Op: Equal, Args: e.Args})
		}
		return Concat("(", a0, " = ", b0, and, a1, " = ", b1, ")"), nil
	case "t_finishedBy":
		return Concat("(", a0, " < ", b0, and, a1, " = ", b1, ")"), nil
	case "t_finishes":
		return Concat("(", a0, " > ", b0, and, a1, " = ", b1, ")"), nil
	case "t_intersects":
		return Concat("(", a0, " <= ", b1, and, a1, " >= ", b0, ")"), nil
	case "t_meets":
		return Concat("(", a1, " = ", b0, ")"), nil
	case "t_metBy":
		return Concat("(", a0, " = ", b1, ")"), nil
	case "t_overlappedBy":
		return Concat("(", a0, " > ", b0, and, a0, " < ", b1, and, a1, " > ", b1, ")"), nil
	case "t_overlaps":
		return Concat("(", a0, " < ", b0, and, a1, " > ", b0, and, a1, " < ", b1, ")"), nil
	case "t_startedBy":
		return Concat("(", a0, " = ", b0, and, a1, " > ", b1, ")"), nil
	case "t_starts":
		return Concat("(", a0, " = ", b0, and, a1, " < ", b1, ")"), nil
	}
	return SQL{}, fmt.Errorf("compile filter: there is no operation %s", e.Op)
}
