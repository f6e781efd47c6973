package gpkg

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/store/filter"
)

// dialect writes filters for SQLite. What SQLite can't do, functions of this
// package do.
type dialect struct{}

var _ filter.Dialect = dialect{}

func argument(v any) filter.SQL { return filter.SQL{Text: "?", Args: []any{v}} }

func (dialect) Column(name string, t filter.Type) filter.SQL {
	if t == filter.Geometry {
		name = "geom"
	}
	return filter.SQL{Text: "l." + name}
}

func (dialect) Number(v float64) filter.SQL { return argument(v) }
func (dialect) Text(v string) filter.SQL    { return argument(v) }
func (dialect) Bool(v bool) filter.SQL      { return argument(v) }

// Time is text; nothing sorts before the empty one, and ~ behind all digits.
func (dialect) Time(m filter.Moment) filter.SQL {
	switch m.Infinite {
	case -1:
		return argument("")
	case 1:
		return argument("~")
	}
	return argument(timeText(m.Time))
}

// literalMark stands for the version in geometries of filters, to tell them from those of the file.
const literalMark = 255

// Geometry is a GeoPackageBinary, whose envelope is read without the rest.
func (dialect) Geometry(g geom.Geometry) (filter.SQL, error) {
	low, high, _ := g.Envelope().MinMaxXYs()
	blob := []byte{'G', 'P', literalMark, 1<<1 | 1}
	blob = binary.LittleEndian.AppendUint32(blob, srid)
	for _, f := range []float64{low.X, high.X, low.Y, high.Y} {
		blob = binary.LittleEndian.AppendUint64(blob, math.Float64bits(f))
	}
	return argument(append(blob, g.AsBinary()...)), nil
}

func (dialect) CaseI(x filter.SQL) filter.SQL   { return filter.Concat("scarp_casei(", x, ")") }
func (dialect) AccentI(x filter.SQL) filter.SQL { return filter.Concat("scarp_accenti(", x, ")") }

func (dialect) Like(value, pattern filter.SQL) filter.SQL {
	return filter.Concat("scarp_like(", value, ", ", pattern, ")")
}

func (dialect) Arithmetic(op filter.Op, a, b filter.SQL) filter.SQL {
	return filter.Concat("scarp_arithmetic(", argument(string(op)), ", ", a, ", ", b, ")")
}

func (dialect) Spatial(op filter.Op, a, b filter.SQL) filter.SQL {
	return filter.Concat("scarp_relate(", argument(strings.TrimPrefix(string(op), "s_")), ", ", a, ", ", b, ")")
}
