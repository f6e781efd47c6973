package store

import (
	"fmt"
	"time"

	"github.com/scarp-map/scarp/store/filter"
)

// SortKey orders landslides by a field. Those without a value come last.
type SortKey struct {
	Field      string
	Descending bool
}

// largestFirst is the order of sketches, which the stores have an index of.
func largestFirst() SortKey { return SortKey{Field: "area_m2", Descending: true} }

// MaxSortKeys is how many fields a query may be sorted by.
const MaxSortKeys = 5

// Keys are the landslide's values of the fields that a query is sorted by.
func Keys(l *Landslide, sort []SortKey) []any {
	var keys []any
	for _, k := range sort {
		if f, ok := FieldNamed(k.Field); ok && f.Of != nil {
			keys = append(keys, f.Of(l))
		}
	}
	return keys
}

// checkSort says why the query can't be sorted or continued so.
func (q Query) checkSort() error {
	if len(q.Sort) > MaxSortKeys {
		return fmt.Errorf("%w query: it is sorted by %d fields, %d are allowed", ErrInvalid, len(q.Sort), MaxSortKeys)
	}
	seen := map[string]bool{}
	for _, k := range q.Sort {
		f, ok := FieldNamed(k.Field)
		if !ok || f.Of == nil {
			return fmt.Errorf("%w query: it can't be sorted by %q", ErrInvalid, k.Field)
		}
		if seen[k.Field] {
			return fmt.Errorf("%w query: it is sorted by %q twice", ErrInvalid, k.Field)
		}
		seen[k.Field] = true
	}
	if len(q.AfterKeys) > 0 && len(q.AfterKeys) != len(q.Sort) || q.After > 0 && len(q.AfterKeys) != len(q.Sort) {
		return fmt.Errorf("%w query: it has %d values to continue behind, it is sorted by %d fields", ErrInvalid, len(q.AfterKeys), len(q.Sort))
	}
	for i, v := range q.AfterKeys {
		f, _ := FieldNamed(q.Sort[i].Field)
		if _, err := keyValue(f, v, nil); err != nil {
			return err
		}
	}
	return nil
}

// keyValue writes the value that a page continues behind; with no dialect it only checks the value.
func keyValue(f Field, v any, d filter.Dialect) (filter.SQL, error) {
	check := func(ok bool, write func() filter.SQL) (filter.SQL, error) {
		if !ok {
			return filter.SQL{}, fmt.Errorf("%w query: %v of type %T is no value of %s", ErrInvalid, v, v, f.Name)
		}
		if d == nil {
			return filter.SQL{}, nil
		}
		return write(), nil
	}
	switch v := v.(type) {
	case nil:
		return check(f.Optional, func() filter.SQL { return filter.SQL{} })
	case int64:
		return check(f.Type == filter.Number, func() filter.SQL { return d.Number(float64(v)) })
	case float64:
		return check(f.Type == filter.Number, func() filter.SQL { return d.Number(v) })
	case string:
		return check(f.Type == filter.Text && storable(v), func() filter.SQL { return d.Text(v) })
	case bool:
		return check(f.Type == filter.Bool, func() filter.SQL { return d.Bool(v) })
	case time.Time:
		return check(f.Type == filter.Time, func() filter.SQL { return d.Time(filter.Moment{Time: v}) })
	}
	return check(false, nil)
}

// Behind is the SQL condition that a landslide comes behind the one that the
// query continues behind, and false where the query begins at its first. id is
// the column of ids.
func (q Query) Behind(d filter.Dialect, id string) (filter.SQL, bool, error) {
	if q.After == 0 {
		return filter.SQL{}, false, nil
	}
	after := filter.Concat("("+id+" > ", filter.SQL{Text: "?", Args: []any{q.After}}, ")")
	for i := len(q.Sort) - 1; i >= 0; i-- {
		f, _ := FieldNamed(q.Sort[i].Field)
		column := d.Column(f.Name, f.Type)
		if q.AfterKeys[i] == nil {
			after = filter.Concat("(", column, " IS NULL AND ", after, ")")
			continue
		}
		v, err := keyValue(f, q.AfterKeys[i], d)
		if err != nil {
			return filter.SQL{}, false, err
		}
		op := " > "
		if q.Sort[i].Descending {
			op = " < "
		}
		further := filter.Concat(column, op, v, " OR (", column, " = ", v, " AND ", after, ")")
		if f.Optional {
			after = filter.Concat("(", further, " OR ", column, " IS NULL)")
		} else { // the first term says the same again, for indexes
			after = filter.Concat("(", column, op[:2]+"= ", v, " AND (", further, "))")
		}
	}
	return after, true, nil
}

// Order is the query's ORDER BY.
func (q Query) Order(d filter.Dialect, id string) string {
	order := ""
	for _, k := range q.Sort {
		f, _ := FieldNamed(k.Field)
		order += d.Column(f.Name, f.Type).Text
		if k.Descending {
			order += " DESC"
		}
		if f.Optional {
			order += " NULLS LAST"
		}
		order += ", "
	}
	return order + id
}

// Indexed says whether an index of the stores has the query's order: that of
// ids, or the largest first.
func (q Query) Indexed() bool {
	return len(q.Sort) == 0 || len(q.Sort) == 1 && q.Sort[0] == largestFirst()
}

// Page makes a page of what was found in the query's order, of which one more
// than its limit shows that there is a next page.
func (q Query) Page(found []Landslide, e Extent) Page {
	if len(found) == 0 {
		found = nil
	}
	page := Page{Landslides: found}
	if len(found) > q.Limit {
		page.Landslides = found[:q.Limit]
		last := &found[q.Limit-1]
		page.Next, page.NextKeys = last.ID, Keys(last, q.Sort)
	}
	page.Matched = e.Counted(len(page.Landslides))
	return page
}
