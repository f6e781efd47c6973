package wmts

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// exception is an error with the code and the locator of OWS Common 1.1. The
// status is 0 where it follows from the code.
type exception struct {
	code, locator, text string
	status              int
}

func (e *exception) Error() string { return e.text }

func fault(code, locator, format string, args ...any) error {
	return &exception{code: code, locator: locator, text: fmt.Sprintf(format, args...)}
}

func invalid(locator, format string, args ...any) error {
	return fault("InvalidParameterValue", locator, format, args...)
}

type reportDoc struct {
	XMLName   xml.Name `xml:"ows:ExceptionReport"`
	OWS       string   `xml:"xmlns:ows,attr"`
	Instance  string   `xml:"xmlns:xsi,attr"`
	Schema    string   `xml:"xsi:schemaLocation,attr"`
	Version   string   `xml:"version,attr"`
	Language  string   `xml:"xml:lang,attr"`
	Exception struct {
		Code    string `xml:"exceptionCode,attr"`
		Locator string `xml:"locator,attr,omitempty"`
		Text    string `xml:"ows:ExceptionText"`
	} `xml:"ows:Exception"`
}

// asException finds code and status of any error. A resource that is not there
// is 404; the same as key-value pairs is a bad request.
func asException(err error, kvp bool) (exception, *common.Problem) {
	absent := http.StatusNotFound
	if kvp {
		absent = http.StatusBadRequest
	}
	var e *exception
	if errors.As(err, &e) {
		status := absent
		switch e.code {
		case "MissingParameterValue", "VersionNegotiationFailed", "InvalidUpdateSequence":
			status = http.StatusBadRequest
		}
		return *e, &common.Problem{Status: cmp.Or(e.status, status)}
	}
	p := common.AsProblem(err)
	out := exception{code: "InvalidParameterValue", text: p.Error()}
	switch {
	case errors.Is(err, tiles.ErrOutsideLimits):
		out.code, out.locator = "TileOutOfRange", "TileRow"
	case errors.Is(err, tiles.ErrUnknownTMS):
		out.locator = "TileMatrixSet"
	case errors.Is(err, tiles.ErrUnknownStyle):
		out.locator = "style"
	case errors.Is(err, tiles.ErrUnknownFormat):
		out.locator = "format"
	case errors.Is(err, tiles.ErrNoImage):
		out.locator = "Time"
	case errors.Is(err, inference.ErrUnknownModel):
		out.locator = "model"
	case p.Status == http.StatusNotFound:
		out.locator = "layer"
	case p.Status >= 499:
		out.code = "NoApplicableCode"
		return out, p
	}
	return out, &common.Problem{Status: absent}
}

// writeException reports an error. No cache may keep it.
func (a *API) writeException(c echo.Context, err error, kvp bool) error {
	e, problem := asException(err, kvp)
	if problem.Status >= 499 {
		if c.Request().Context().Err() != nil {
			return a.Site.WriteError(c, err) // answers nobody: the client has gone
		}
		a.Site.Logged(c, err)
		if problem.RetryAfter > 0 {
			c.Response().Header().Set("Retry-After", strconv.Itoa(problem.RetryAfter))
		}
	}
	r := reportDoc{OWS: ows, Instance: xsi, Schema: ows + " http://schemas.opengis.net/ows/1.1.0/owsExceptionReport.xsd", Version: version, Language: "en"}
	r.Exception.Code, r.Exception.Locator, r.Exception.Text = e.code, e.locator, e.text
	body, xerr := xml.MarshalIndent(r, "", "  ")
	if xerr != nil {
		return fmt.Errorf("encode exception report: %w", xerr)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return common.Blob(c, problem.Status, "text/xml; charset=utf-8", append([]byte(xml.Header), append(body, '\n')...))
}
