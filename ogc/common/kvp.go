package common

import (
	"net/url"
	"strings"
)

// ParseKVP reads the query of a service of the older kind (WMS, WMTS): names
// are accepted in any case and come back in upper case; the first of several
// with the same name counts. What is not properly escaped is left out, and what
// is not known is the caller's to leave alone, since clients send their own.
func ParseKVP(query string) map[string]string {
	p := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil || key == "" {
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			continue
		}
		key = strings.ToUpper(key)
		if _, ok := p[key]; !ok {
			p[key] = value
		}
	}
	return p
}
