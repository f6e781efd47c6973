package gpkg

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/paulmach/orb"
	"modernc.org/sqlite"
)

// registerFunctions gives SQLite the functions that the standard's triggers on
// the spatial index call, the exact test behind it, and what filters need. The driver keeps
// functions per process, hence once.
var registerFunctions = sync.OnceValue(func() error {
	var errs []error
	add := func(name string, args int32, f func(args []driver.Value) (driver.Value, error)) {
		errs = append(errs, sqlite.RegisterFunction(name, &sqlite.FunctionImpl{
			NArgs: args, Deterministic: true, VolatileArgs: true, // no argument outlives a call
			Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) { return f(args) },
		}))
	}
	for i, name := range []string{"ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"} {
		add(name, 1, func(args []driver.Value) (driver.Value, error) {
			geometry, ok := args[0].([]byte)
			if !ok {
				return nil, nil
			}
			b, ok, err := bounds(geometry)
			if err != nil || !ok {
				return nil, err
			}
			return b[i], nil
		})
	}
	add("ST_IsEmpty", 1, func(args []driver.Value) (driver.Value, error) {
		geometry, ok := args[0].([]byte)
		if !ok {
			return nil, nil
		}
		_, ok, err := bounds(geometry)
		if err != nil {
			return nil, err
		}
		return !ok, nil
	})
	add("scarp_intersects", 5, func(args []driver.Value) (driver.Value, error) {
		geometry, ok := args[0].([]byte)
		if !ok {
			return false, nil
		}
		var box [4]float64
		for i := range box {
			if box[i], ok = args[i+1].(float64); !ok {
				return nil, fmt.Errorf("scarp_intersects: argument %d is a %T", i+2, args[i+1])
			}
		}
		return intersects(geometry, orb.Bound{Min: orb.Point{box[0], box[1]}, Max: orb.Point{box[2], box[3]}})
	})
	relations, err := newRelations()
	errs = append(errs, err)
	add("scarp_relate", 3, func(args []driver.Value) (driver.Value, error) {
		op, _ := args[0].(string)
		a, okA := args[1].([]byte)
		b, okB := args[2].([]byte)
		if !okA || !okB {
			return nil, nil
		}
		return relations.relate(op, a, b)
	})
	add("scarp_like", 2, func(args []driver.Value) (driver.Value, error) {
		value, okV := args[0].(string)
		pattern, okP := args[1].(string)
		if !okV || !okP {
			return nil, nil
		}
		return like(value, pattern), nil
	})
	for name, change := range map[string]func(string) string{"scarp_casei": foldCase, "scarp_accenti": dropAccents} {
		add(name, 1, func(args []driver.Value) (driver.Value, error) {
			text, ok := args[0].(string)
			if !ok {
				return nil, nil
			}
			return change(strings.Clone(text)), nil
		})
	}
	add("scarp_arithmetic", 3, func(args []driver.Value) (driver.Value, error) {
		op, _ := args[0].(string)
		a, okA := float(args[1])
		b, okB := float(args[2])
		if !okA || !okB {
			return nil, nil
		}
		return arithmetic(op, a, b)
	})
	return errors.Join(errs...)
})

func float(v driver.Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}
