package features

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

// A token says where a page ended: the last landslide's id and its values of
// the fields that the query is sorted by. It is signed for the collection, the
// run and the order, so that it continues nothing else.

// macSize is how much of the signature a token has.
const macSize = 16

type position struct {
	ID   int64 `json:"i"`
	Keys []any `json:"k,omitempty"`
}

func sign(secret []byte, q store.Query, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%q %q %v\x00", q.Event, q.Run, q.Sort)
	h.Write(body)
	return h.Sum(nil)[:macSize]
}

// token makes the token that continues the query behind the page.
func token(secret []byte, q store.Query, page store.Page) (string, error) {
	keys := make([]any, len(page.NextKeys))
	for i, v := range page.NextKeys {
		if t, ok := v.(time.Time); ok {
			v = t.UTC().Format(time.RFC3339Nano)
		}
		keys[i] = v
	}
	body, err := json.Marshal(position{page.Next, keys})
	if err != nil {
		return "", fmt.Errorf("make a paging token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(sign(secret, q, body), body...)), nil
}

// resume sets where the query continues.
func resume(secret []byte, q *store.Query, s string) error {
	wrong := common.BadRequest("after=%s is not a token of this list in this order; follow the links with rel next", common.Quote(s))
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) <= macSize || !hmac.Equal(b[:macSize], sign(secret, *q, b[macSize:])) {
		return wrong
	}
	var p position
	d := json.NewDecoder(bytes.NewReader(b[macSize:]))
	d.UseNumber() // ids may be longer than a float's 53 bits
	if err := d.Decode(&p); err != nil || p.ID < 1 || len(p.Keys) != len(q.Sort) {
		return wrong
	}
	q.After, q.AfterKeys = p.ID, nil
	for i, v := range p.Keys {
		f, _ := store.FieldNamed(q.Sort[i].Field)
		key, ok := key(f, v)
		if !ok {
			return wrong
		}
		q.AfterKeys = append(q.AfterKeys, key)
	}
	return nil
}

// key is a value of a field as stores take it.
func key(f store.Field, v any) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Float64()
		return n, err == nil && f.Type == filter.Number
	case string:
		if f.Type == filter.Time {
			t, err := time.Parse(time.RFC3339Nano, v)
			return t, err == nil
		}
		return v, f.Type == filter.Text
	case bool:
		return v, f.Type == filter.Bool
	}
	return nil, v == nil && f.Optional
}
