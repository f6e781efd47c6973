package cql2

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scarp-map/scarp/store/filter"
)

type kind int

const (
	end    kind = iota
	word        // a keyword or a property's name
	quoted      // a property's name in double quotes
	text        // in single quotes
	number
	sign // an operator, a comma or a parenthesis
)

type token struct {
	kind kind
	text string // without quotes
	at   filter.Place
	// first and last are the token's bytes.
	first, last int
}

// scan cuts the text into tokens.
func scan(s string) ([]token, error) {
	var tokens []token
	for i, char := 0, 1; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		at := filter.Place{Character: char}
		if r == utf8.RuneError && size == 1 {
			return nil, fail(at, "the filter is not UTF-8")
		}
		if unicode.IsSpace(r) {
			i, char = i+size, char+1
			continue
		}
		t := token{at: at, first: i}
		n := 0 // bytes of the token
		switch {
		case r == '\'' || r == '"':
			inner, length, ok := unquote(s[i:], byte(r))
			if !ok {
				return nil, fail(at, "a quote is opened here and not closed; a quote within a text is doubled: 'it''s'")
			}
			t.kind, t.text, n = text, inner, length
			if r == '"' {
				t.kind = quoted
			}
		case isDigit(r) || r == '.' && i+1 < len(s) && isDigit(rune(s[i+1])):
			n = numberLength(s[i:])
			t.kind, t.text = number, s[i:i+n]
		case isStart(r):
			n = len(s[i:])
			if j := strings.IndexFunc(s[i:], func(r rune) bool { return !isStart(r) && !isDigit(r) && r != '.' && r != '\u00b7' }); j >= 0 {
				n = j
			}
			t.kind, t.text = word, s[i:i+n]
		case strings.ContainsRune("=<>+-*/%^(),", r):
			n = 1
			if two := s[i:min(i+2, len(s))]; two == "<>" || two == "<=" || two == ">=" {
				n = 2
			}
			t.kind, t.text = sign, s[i:i+n]
		case r == '!' && strings.HasPrefix(s[i:], "!="):
			return nil, fail(at, "!= is written <> here")
		default:
			return nil, fail(at, "%q has no meaning here; texts stand in single quotes", r)
		}
		t.last = i + n
		char += utf8.RuneCountInString(s[i : i+n])
		i += n
		tokens = append(tokens, t)
	}
	return append(tokens, token{kind: end, at: filter.Place{Character: utf8.RuneCountInString(s) + 1}, first: len(s), last: len(s)}), nil
}

// unquote reads what is between quotes, where a doubled quote, or one behind a
// backslash, is itself.
func unquote(s string, quote byte) (inner string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == quote && hasQuote(s[i+2:], quote):
			i++
			b.WriteByte(quote)
		case s[i] != quote:
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == quote:
			i++
			b.WriteByte(quote)
		default:
			return b.String(), i + 1, true
		}
	}
	return "", 0, false
}

// hasQuote says whether the text goes on to a closing quote, so that a
// backslash at a text's end is a backslash.
func hasQuote(s string, quote byte) bool { return strings.IndexByte(s, quote) >= 0 }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isStart(r rune) bool { return unicode.IsLetter(r) || r == '_' || r == ':' }

// numberLength is how much of s is a number: digits, a point, an exponent.
func numberLength(s string) int {
	i := digits(s, 0)
	if i < len(s) && s[i] == '.' {
		i = digits(s, i+1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if k := digits(s, j); k > j {
			i = k
		}
	}
	return i
}

func digits(s string, i int) int {
	for i < len(s) && isDigit(rune(s[i])) {
		i++
	}
	return i
}
