package ats

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

// commonClasses are those of OGC API Common Part 1 (19-072) and Part 2 (20-024).
func commonClasses() []class {
	const one, two = "ogcapi-common-1/1.0/conf/", "ogcapi-common-2/1.0/conf/"
	return []class{
		{one + "core", []assertion{
			{"http", func(s *session) {
				require.Equal(s.T, http.StatusNotFound, s.get("/no-such-resource").StatusCode)
				require.Equal(s.T, http.StatusMethodNotAllowed, s.send(http.MethodDelete, "/conformance", "").StatusCode)
				head := s.send(http.MethodHead, "/conformance", "")
				require.Equal(s.T, http.StatusOK, head.StatusCode)
				require.Empty(s.T, head.body)
			}},
			{"query-param-name-unknown", func(s *session) { s.badRequest("/conformance?no-such-parameter=1") }},
			{"query-param-value-invalid", func(s *session) { s.badRequest("/conformance?f=no-such-format") }},
		}},
		{one + "landing-page", []assertion{
			{"root-op", func(s *session) { s.expectKind(jsonType, "/", "Accept", jsonType) }},
			{"root-success", func(s *session) {
				doc := s.document("/")
				require.NotEmpty(s.T, doc["title"])
				s.complete(doc)
				for _, r := range []string{"self", "alternate", "service-desc", "service-doc", "conformance"} {
					s.linked(doc, r)
				}
			}},
			{"api-definition-op", func(s *session) {
				s.expect(http.StatusOK, s.linked(s.document("/"), "service-desc"))
				s.expect(http.StatusOK, s.linked(s.document("/"), "service-doc"))
			}},
			{"api-definition-success", func(s *session) {
				desc := link(s.document("/"), "service-desc")
				a := s.expect(http.StatusOK, desc["href"].(string))
				require.Equal(s.T, desc["type"], a.Header.Get("Content-Type"))
			}},
			{"conformance-op", func(s *session) { s.expect(http.StatusOK, s.linked(s.document("/"), "conformance")) }},
			{"conformance-success", func(s *session) {
				doc := s.document("/conformance")
				require.NotEmpty(s.T, list(doc, "conformsTo"))
				for _, c := range list(doc, "conformsTo") {
					require.True(s.T, strings.HasPrefix(c.(string), "http"), c)
				}
			}},
		}},
		{one + "json", []assertion{
			{"definition", func(s *session) {
				for _, target := range []string{"/", "/conformance", "/collections"} {
					s.expectKind(jsonType, target, "Accept", jsonType)
					s.expectKind(jsonType, target, "Accept", "*/*")
					s.expectKind(jsonType, target)
				}
			}},
			{"content", func(s *session) { s.complete(s.document("/")) }},
		}},
		{one + "html", []assertion{
			{"definition", func(s *session) {
				for _, target := range []string{"/", "/conformance", "/collections", "/api"} {
					s.expectKind(htmlType, target, "Accept", htmlType)
				}
			}},
			{"content", func(s *session) {
				page := string(s.expectKind(htmlType, "/?f=html").body)
				for _, l := range list(s.document("/"), "links") {
					if r := l.(object)["rel"]; r == "service-doc" {
						require.Contains(s.T, page, l.(object)["href"], "the page has the links of the document")
					}
				}
			}},
		}},
		{one + "oas30", oas30("/", "/conformance")},
		{two + "collections", []assertion{
			{"rc-md-op", func(s *session) { s.expectKind(jsonType, s.linked(s.document("/"), "data")) }},
			{"rc-md-success", func(s *session) {
				doc := s.document("/collections")
				s.complete(doc)
				s.linked(doc, "self")
				s.linked(doc, "alternate", htmlType)
				require.NotEmpty(s.T, list(doc, "collections"))
			}},
			{"rc-md-collections", func(s *session) {
				for _, c := range s.all {
					require.NotEmpty(s.T, c["id"])
					s.complete(c)
					s.linked(c, "self")
				}
			}},
			{"src-md-op", func(s *session) { s.expectKind(jsonType, s.linked(s.features, "self")) }},
			{"src-md-success", func(s *session) {
				for _, c := range s.all {
					require.Equal(s.T, c, s.document(path(c)), "the entry in the list and the collection itself")
				}
				s.expect(http.StatusNotFound, "/collections/no-such-collection")
			}},
			{"src-md-extent", func(s *session) {
				box := s.bbox(s.features)
				require.LessOrEqual(s.T, box[1], box[3])
				require.True(s.T, box[0] >= -180 && box[2] <= 180 && box[1] >= -90 && box[3] <= 90, box)
			}},
		}},
	}
}

// oas30 are the assertions on the API definition, which the standards share.
func oas30(paths ...string) []assertion {
	return []assertion{
		{"oas-definition-1", func(s *session) {
			s.linked(s.document("/"), "service-desc", openAPIType)
			s.linked(s.document("/"), "service-doc", htmlType)
		}},
		{"oas-definition-2", func(s *session) {
			require.True(s.T, strings.HasPrefix(s.api.OpenAPI, "3.0"), s.api.OpenAPI)
			require.NoError(s.T, s.api.Validate(s.Context()))
		}},
		{"oas-impl", func(s *session) {
			require.NotEmpty(s.T, s.api.Servers)
			require.Equal(s.T, s.base, s.api.Servers[0].URL)
			for _, p := range paths {
				s.operation(http.MethodGet, p)
			}
		}},
		{"completeness", func(s *session) {
			for path, item := range s.api.Paths.Map() {
				for method, op := range item.Operations() {
					require.NotEmpty(s.T, op.OperationID, "%s %s", method, path)
					require.Positive(s.T, op.Responses.Len(), "%s %s", method, path)
				}
			}
		}},
		{"exceptions-codes", func(s *session) {
			for _, p := range paths {
				responses := s.operation(http.MethodGet, p).Responses
				require.True(s.T, responses.Default() != nil || responses.Value("400") != nil, "GET %s does not say what errors look like", p)
			}
		}},
	}
}
