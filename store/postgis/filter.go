package postgis

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/store/filter"
)

// dialect writes filters for PostGIS. Texts compare by code point whatever the
// database's collation, and change case by Unicode.
type dialect struct{}

var _ filter.Dialect = dialect{}

func argument(kind string, v any) filter.SQL {
	return filter.SQL{Text: "?::" + kind, Args: []any{v}}
}

func (dialect) Column(name string, t filter.Type) filter.SQL {
	switch t {
	case filter.Geometry:
		name = "geom"
	case filter.Text:
		return filter.SQL{Text: `(l.` + name + ` COLLATE "C")`}
	}
	return filter.SQL{Text: "l." + name}
}

func (dialect) Number(v float64) filter.SQL { return argument("float8", v) }
func (dialect) Bool(v bool) filter.SQL      { return argument("boolean", v) }

func (dialect) Text(v string) filter.SQL {
	return filter.Concat(`(`, argument("text", v), ` COLLATE "C")`)
}

func (dialect) Time(m filter.Moment) filter.SQL {
	return argument("timestamptz", pgtype.Timestamptz{Time: m.Time, Valid: true, InfinityModifier: pgtype.InfinityModifier(m.Infinite)})
}

func (dialect) Geometry(g geom.Geometry) (filter.SQL, error) {
	return filter.Concat(`ST_GeomFromWKB(`, argument("bytea", g.AsBinary()), fmt.Sprintf(`, %d)`, srid)), nil
}

func (dialect) CaseI(x filter.SQL) filter.SQL {
	return filter.Concat(`(lower(upper(`, x, ` COLLATE "und-x-icu")) COLLATE "C")`)
}

func (dialect) AccentI(x filter.SQL) filter.SQL {
	return filter.Concat(`(regexp_replace(normalize(`, x, `, NFD), '[\u0300-\u036f]', '', 'g') COLLATE "C")`)
}

func (dialect) Like(value, pattern filter.SQL) filter.SQL {
	return filter.Concat(`(`, value, ` LIKE `, pattern, `)`)
}

func (dialect) Arithmetic(op filter.Op, a, b filter.SQL) filter.SQL {
	switch op {
	case filter.Over:
		return filter.Concat(`(`, a, ` / nullif(`, b, `, 0))`)
	case filter.Div:
		return filter.Concat(`trunc(`, a, ` / nullif(`, b, `, 0))`)
	case filter.Modulo:
		return filter.Concat(`mod((`, a, `)::numeric, nullif(`, b, `, 0)::numeric)::float8`)
	case filter.Power:
		return filter.Concat(`power(`, a, `, `, b, `)`)
	}
	return filter.Concat(`(`, a, ` `+string(op)+` `, b, `)`)
}

func (dialect) Spatial(op filter.Op, a, b filter.SQL) filter.SQL {
	names := map[filter.Op]string{filter.SIntersects: "ST_Intersects", filter.SEquals: "ST_Equals", filter.SDisjoint: "ST_Disjoint", filter.STouches: "ST_Touches",
		filter.SWithin: "ST_Within", filter.SOverlaps: "ST_Overlaps", filter.SCrosses: "ST_Crosses", filter.SContains: "ST_Contains"}
	return filter.Concat(names[op]+`(`, a, `, `, b, `)`)
}
