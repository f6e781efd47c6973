package gpkg

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Functions on texts and numbers, each the same as what PostgreSQL does.

func foldCase(s string) string {
	return cases.Lower(language.Und).String(cases.Upper(language.Und).String(s))
}

func dropAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x300 && r <= 0x36f {
			return -1
		}
		return r
	}, norm.NFD.String(s))
}

// like matches value with a pattern of % (anything), _ (one character) and \
// before a character that is meant itself. It takes steps in proportion to the
// product of both lengths at most.
func like(value, pattern string) bool {
	v, p := []rune(value), []rune(pattern)
	i, j := 0, 0
	star, mark := -1, 0 // the last %, and what it has eaten up to
	for i < len(v) {
		if j < len(p) && p[j] == '%' {
			star, mark = j, i
			j++
			continue
		}
		if n := matchOne(p[min(j, len(p)):], v[i]); n > 0 {
			i, j = i+1, j+n
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = mark, star+1
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}

// matchOne says how much of the pattern matches the character, 0 where none does.
func matchOne(p []rune, r rune) int {
	switch {
	case len(p) == 0:
	case p[0] == '\\' && len(p) > 1:
		if p[1] == r {
			return 2
		}
	case p[0] == '_' || p[0] == r && p[0] != '\\':
		return 1
	}
	return 0
}

// errArithmetic is in what SQLite says of a filter whose numbers overflow.
var errArithmetic = errors.New("scarp_arithmetic: the numbers overflow")

// arithmetic returns nil where it divides by zero.
func arithmetic(op string, a, b float64) (any, error) {
	var r float64
	switch op {
	case "+":
		r = a + b
	case "-":
		r = a - b
	case "*":
		r = a * b
	case "^":
		r = math.Pow(a, b)
	default:
		if b == 0 {
			return nil, nil
		}
		switch r = a / b; op {
		case "div":
			r = math.Trunc(r)
		case "%":
			r = a - float64(b*math.Trunc(r)) // rounded twice, as PostgreSQL does
		}
	}
	vanished := r == 0 && a != 0 && (op == "*" && b != 0 || op == "/" && !math.IsInf(b, 0))
	if math.IsNaN(r) || math.IsInf(r, 0) || vanished {
		return nil, fmt.Errorf("%w: %v %s %v", errArithmetic, a, op, b)
	}
	return r, nil
}
