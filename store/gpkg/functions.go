package gpkg

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/paulmach/orb"
	"modernc.org/sqlite"
)

// registerFunctions gives SQLite the functions that the standard's triggers on
// the spatial index call, and the exact test behind it. The driver keeps
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
	return errors.Join(errs...)
})
