package filter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/peterstace/simplefeatures/geom"
)

// Key returns a short text that two expressions share only where they mean the
// same; it is "" for nil.
func Key(e Expr) string {
	if e == nil {
		return ""
	}
	h := sha256.New()
	write(h, e)
	return hex.EncodeToString(h.Sum(nil))
}

func write(w io.Writer, e Expr) {
	switch e := e.(type) {
	case *Property:
		fmt.Fprintf(w, "p%q", e.Name)
	case *Literal:
		switch v := e.Value.(type) {
		case Day:
			fmt.Fprintf(w, "d%d", time.Time(v).UnixMilli())
		case Moment:
			fmt.Fprintf(w, "t%d/%d", v.UnixMilli(), v.Infinite)
		case geom.Geometry:
			fmt.Fprintf(w, "g%x", v.AsBinary())
		default:
			fmt.Fprintf(w, "%T%#v", v, v)
		}
	case *Call:
		fmt.Fprintf(w, "%s(", e.Op)
		for _, arg := range e.Args {
			write(w, arg)
			io.WriteString(w, ",")
		}
		io.WriteString(w, ")")
	}
}
