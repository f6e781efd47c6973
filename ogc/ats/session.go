package ats

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// object is a JSON object.
type object = map[string]any

// session is what all assertions need: the server's address, what it declares
// and what it holds. A copy with its own T serves each assertion.
type session struct {
	*testing.T
	base     string
	client   *http.Client
	declared map[string]bool
	api      *openapi3.T
	// Collections to test with: one with features and one with maps.
	features, pictures object
	all                []object
	callbacks          string // where this machine can be called back
	why                string // the assertion was skipped
}

func newSession(t *testing.T, base string) *session {
	s := &session{T: t, base: strings.TrimSuffix(base, "/"), client: newClient(), declared: map[string]bool{}}
	for _, c := range list(s.document("/conformance"), "conformsTo") {
		uri, _ := c.(string)
		require.True(t, strings.HasPrefix(uri, specBase), "%q is no conformance class of the OGC", uri)
		s.declared[strings.TrimPrefix(uri, specBase)] = true
	}
	api, err := openapi3.NewLoader().LoadFromData(s.get("/api", "Accept", openAPIType).body)
	require.NoError(t, err)
	s.api = api
	for _, c := range list(s.document("/collections"), "collections") {
		collection := c.(object)
		s.all = append(s.all, collection)
		if s.features == nil && collection["itemType"] == "feature" && number(s.document(path(collection) + "/items?limit=1")["numberMatched"]) > 0 {
			s.features = collection
		}
		if s.pictures == nil && link(collection, relMap) != nil && collection["itemType"] == nil && collection["extent"] != nil {
			s.pictures = collection
		}
	}
	require.NotNil(t, s.features, "the server has no mapped event to test with")
	require.NotNil(t, s.pictures, "the server has no collection with maps")
	return s
}

const (
	openAPIType = "application/vnd.oai.openapi+json;version=3.0"
	geoJSONType = "application/geo+json"
	jsonType    = "application/json"
	htmlType    = "text/html"
	problemType = "application/problem+json"
	crs84       = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
	epsg        = "http://www.opengis.net/def/crs/EPSG/0/"
	rel         = "http://www.opengis.net/def/rel/ogc/1.0/"
	relMap      = rel + "map"
)

// answer is a response with its body read.
type answer struct {
	*http.Response
	body []byte
}

// kind is the media type without parameters.
func (a answer) kind() string {
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return kind
}

// send makes a request; target is a path or an absolute URL, headers come in pairs.
func (s *session) send(method, target, body string, headers ...string) answer {
	s.Helper()
	if !strings.HasPrefix(target, "http") {
		target = s.base + target
	}
	request, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	require.NoError(s.T, err)
	if body == "" {
		request.Body = http.NoBody
	} else {
		request.Header.Set("Content-Type", jsonType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	require.NoError(s.T, err)
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	require.NoError(s.T, err)
	return answer{response, content}
}

func (s *session) get(target string, headers ...string) answer {
	s.Helper()
	return s.send(http.MethodGet, target, "", headers...)
}

// expect gets what must have the status.
func (s *session) expect(status int, target string, headers ...string) answer {
	s.Helper()
	a := s.get(target, headers...)
	require.Equal(s.T, status, a.StatusCode, "GET %s: %.300s", target, a.body)
	return a
}

// expectKind gets what must be there and of the media type.
func (s *session) expectKind(kind, target string, headers ...string) answer {
	s.Helper()
	a := s.expect(http.StatusOK, target, headers...)
	require.Equal(s.T, kind, a.kind(), "GET %s", target)
	return a
}

// document gets a JSON object.
func (s *session) document(target string, headers ...string) object {
	s.Helper()
	return s.decode(s.expect(http.StatusOK, target, headers...))
}

func (s *session) decode(a answer) object {
	s.Helper()
	var doc object
	require.NoError(s.T, json.Unmarshal(a.body, &doc), "%s: %.300s", a.Request.URL, a.body)
	return doc
}

// badRequest is a problem document with status 400.
func (s *session) badRequest(target string) {
	s.Helper()
	a := s.expect(http.StatusBadRequest, target)
	require.Equal(s.T, problemType, a.kind())
	require.Equal(s.T, "no-store", a.Header.Get("Cache-Control"), "errors must not be kept")
}

// skip ends the assertion, for a reason that accepted-skips.txt must know.
func (s *session) skip(why string) {
	s.why = why
	s.SkipNow()
}

// operation finds an operation of the API definition.
func (s *session) operation(method, path string) *openapi3.Operation {
	s.Helper()
	item := s.api.Paths.Find(path)
	require.NotNil(s.T, item, "the API definition has no path %s", path)
	op := item.GetOperation(method)
	require.NotNil(s.T, op, "the API definition has no %s %s", method, path)
	return op
}

// parameter finds a parameter of an operation.
func (s *session) parameter(path, name string) *openapi3.Parameter {
	s.Helper()
	p := s.operation(http.MethodGet, path).Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
	require.NotNil(s.T, p, "GET %s has no parameter %s", path, name)
	return p
}

// path is the path of a collection.
func path(collection object) string {
	return "/collections/" + url.PathEscape(collection["id"].(string))
}

func (s *session) items() string { return path(s.features) + "/items" }

// list returns a member that is an array.
func list(doc object, name string) []any {
	l, _ := doc[name].([]any)
	return l
}

func number(v any) float64 {
	n, _ := v.(float64)
	return n
}

// link returns the first link of a relation, and of a media type where one is given.
func link(doc object, rel string, kind ...string) object {
	for _, l := range list(doc, "links") {
		l := l.(object)
		if l["rel"] == rel && (len(kind) == 0 || l["type"] == kind[0]) {
			return l
		}
	}
	return nil
}

// linked follows a link that must be there.
func (s *session) linked(doc object, rel string, kind ...string) string {
	s.Helper()
	l := link(doc, rel, kind...)
	require.NotNil(s.T, l, "no link with rel %s %v", rel, kind)
	href, _ := l["href"].(string)
	require.True(s.T, strings.HasPrefix(href, s.base), "%s is not an absolute link to this server", href)
	return href
}

// complete checks that every link has an address, a relation and a type.
func (s *session) complete(doc object) {
	s.Helper()
	require.NotEmpty(s.T, list(doc, "links"))
	for _, l := range list(doc, "links") {
		l := l.(object)
		for _, member := range []string{"href", "rel", "type"} {
			require.NotEmpty(s.T, l[member], "%v has no %s", l, member)
		}
	}
}

// bbox is the first box of a collection's extent: west, south, east, north.
func (s *session) bbox(collection object) [4]float64 {
	s.Helper()
	extent, _ := collection["extent"].(object)
	spatial, _ := extent["spatial"].(object)
	boxes := list(spatial, "bbox")
	require.NotEmpty(s.T, boxes, "%v has no extent", collection["id"])
	var out [4]float64
	for i, v := range boxes[0].([]any)[:4] {
		out[i] = number(v)
	}
	return out
}
