package ogc_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/ogc/common"
)

// validate reads documents, by the names of their files. It holds each against the
// schema or the DTD that the document itself names, and prints what is wrong with it. It
// never asks the network: http://schemas.opengis.net/ is the copy that MapProxy
// brings along for its own tests, an address elsewhere is an error.
const validate = `
import importlib.util, json, pathlib, sys
try:
    from lxml import etree
except ImportError:
    print("missing lxml"); sys.exit(0)
mapproxy = importlib.util.find_spec("mapproxy")
if mapproxy is None:
    print("missing mapproxy"); sys.exit(0)
documents = pathlib.Path(sys.argv[1])
schemas = pathlib.Path(mapproxy.submodule_search_locations[0]) / "test" / "schemas"
site = "http://schemas.opengis.net/"
def local(url):
    assert url.startswith(site), url
    return str(schemas / url[len(site):])
found = {}
for path in sorted(documents.iterdir()):
    tree = etree.parse(str(path), etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False))
    located = tree.getroot().get("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation")
    url = tree.docinfo.system_url if located is None else dict([located.split()[i:i + 2] for i in range(0, len(located.split()), 2)])[etree.QName(tree.getroot()).namespace]
    check = etree.DTD(local(url)) if located is None else etree.XMLSchema(etree.parse(local(url), etree.XMLParser(no_network=True)))
    check.validate(tree)
    found[path.name] = {"schema": url[len(site):], "errors": [f"line {e.line}: {e.message}" for e in check.error_log]}
print(json.dumps(found))
`

// Documents name the OGC's own schemas and are valid by them:
// getcapabilities:normative-schema and validate-using-schemaLocation and the
// valid exceptions of the suite for WMS 1.3.0, wms:wmsops-getcapabilities-response-2
// of that for 1.1.1, Response.XML.Well.Formed, SchemaReferenced and SchemaValid and
// the valid exceptions of that for WMTS.
func TestXMLIsValidByTheOGCsSchemas(t *testing.T) {
	s := newServer(t)
	series(t, s)
	folder := t.TempDir()
	want := map[string]string{}
	for name, tt := range map[string]struct{ schema, method, target string }{
		"wms-1.3.0":                {"wms/1.3.0/capabilities_1_3_0.xsd", http.MethodGet, "/wms?service=WMS&request=GetCapabilities&version=1.3.0"},
		"wms-1.3.0 no version":     {"wms/1.3.0/capabilities_1_3_0.xsd", http.MethodGet, "/wms?service=WMS&request=GetCapabilities"},
		"wms-1.3.0 layer":          {"wms/1.3.0/exceptions_1_3_0.xsd", http.MethodGet, replaced(map130, "atsuma-2018_mask", "none")},
		"wms-1.3.0 box":            {"wms/1.3.0/exceptions_1_3_0.xsd", http.MethodGet, replaced(map130, "42.65,141.9,42.8,142.1", "1,2,%3C3,4")},
		"wms-1.3.0 update":         {"wms/1.3.0/exceptions_1_3_0.xsd", http.MethodGet, "/wms?service=WMS&request=GetCapabilities&updatesequence=99999999999"},
		"wms-1.1.1":                {"wms/1.1.1/capabilities_1_1_1.dtd", http.MethodGet, "/wms?service=WMS&request=GetCapabilities&version=1.1.1"},
		"wms-1.1.1 layer":          {"wms/1.1.1/exception_1_1_1.dtd", http.MethodGet, replaced(map111, "atsuma-2018_mask", "none")},
		"wms-1.1.1 box":            {"wms/1.1.1/exception_1_1_1.dtd", http.MethodGet, replaced(map111, "141.9,42.65,142.1,42.8", "1,2,%3C3,4")},
		"wmts":                     {"wmts/1.0/wmtsGetCapabilities_response.xsd", http.MethodGet, "/wmts?service=WMTS&request=GetCapabilities"},
		"wmts as a resource":       {"wmts/1.0/wmtsGetCapabilities_response.xsd", http.MethodGet, "/wmts/1.0.0/WMTSCapabilities.xml"},
		"wmts contents":            {"wmts/1.0/wmtsGetCapabilities_response.xsd", http.MethodGet, "/wmts?service=WMTS&request=GetCapabilities&sections=Contents"},
		"wmts layer":               {"ows/1.1.0/owsExceptionReport.xsd", http.MethodGet, replaced(wmtsTile, "atsuma-2018_mask", "%3Cnone%3E")},
		"wmts version":             {"ows/1.1.0/owsExceptionReport.xsd", http.MethodGet, "/wmts?service=WMTS&request=GetCapabilities&acceptversions=9.9.9"},
		"wms-1.3.0 method":         {"wms/1.3.0/exceptions_1_3_0.xsd", http.MethodPost, "/wms"},
		"wms-1.1.1 method":         {"wms/1.1.1/exception_1_1_1.dtd", http.MethodPost, "/wms?version=1.1.1"},
		"wmts method":              {"ows/1.1.0/owsExceptionReport.xsd", http.MethodPost, "/wmts"},
		"wmts address":             {"ows/1.1.0/owsExceptionReport.xsd", http.MethodGet, "/wmts/1.0.0/foo"},
		"wmts layer of a resource": {"ows/1.1.0/owsExceptionReport.xsd", http.MethodGet, replaced(wmtsRest, "atsuma-2018_mask", "none") + ".png"},
	} {
		want[name] = tt.schema
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text(t, s.ask(tt.method, tt.target, ""))), 0o644))
	}
	// A server that says nothing of who runs it and has no events yet, and one with an address for everything.
	bare := newServer(t, func(d *ogc.Deps) { d.Contact = common.Contact{} })
	require.NoError(t, bare.store.DeleteEvent(t.Context(), "atsuma-2018"))
	require.NoError(t, bare.store.DeleteEvent(t.Context(), "away"))
	full := newServer(t, func(d *ogc.Deps) {
		d.Title, d.Contact = "Slides & <slopes>", common.Contact{URL: "https://office.example/?a=b&c=d"}
	})
	for of, s := range map[string]*server{"bare": bare, "full": full} {
		for name, tt := range map[string]struct{ schema, target string }{
			"wms-1.3.0": {"wms/1.3.0/capabilities_1_3_0.xsd", "/wms?service=WMS&request=GetCapabilities&version=1.3.0"},
			"wms-1.1.1": {"wms/1.1.1/capabilities_1_1_1.dtd", "/wms?service=WMS&request=GetCapabilities&version=1.1.1"},
			"wmts":      {"wmts/1.0/wmtsGetCapabilities_response.xsd", "/wmts?service=WMTS&request=GetCapabilities"},
		} {
			want[name+" "+of] = tt.schema
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+" "+of), []byte(text(t, s.get(tt.target))), 0o644))
		}
	}
	script := filepath.Join(t.TempDir(), "validate.py")
	require.NoError(t, os.WriteFile(script, []byte(validate), 0o644))
	var found map[string]struct {
		Schema string
		Errors []string
	}
	out := program(t, python(), script, folder)
	if strings.HasPrefix(out, "missing") {
		absent(t, out)
	}
	require.NoError(t, json.Unmarshal([]byte(out), &found))
	require.Len(t, found, len(want))
	for name, schema := range want {
		assert.Equal(t, schema, found[name].Schema, name)
		assert.Empty(t, found[name].Errors, name)
	}
}
