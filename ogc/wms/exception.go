package wms

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// exception is an error that the service reports with its standard's code. The
// status is 0 where it is the usual one.
type exception struct {
	code, text string
	status     int
}

func (e *exception) Error() string { return e.text }

func fault(code, format string, args ...any) error {
	return &exception{code: code, text: fmt.Sprintf(format, args...)}
}

// asException finds the code of any error, and the status: 200 where the
// request is at fault, as the standard's clients expect.
func asException(err error) (exception, *common.Problem) {
	var e *exception
	if errors.As(err, &e) {
		return *e, &common.Problem{Status: cmp.Or(e.status, http.StatusOK)}
	}
	p := common.AsProblem(err)
	out := exception{text: p.Error()}
	switch {
	case errors.Is(err, tiles.ErrUnknownStyle):
		out.code = "StyleNotDefined"
	case errors.Is(err, tiles.ErrUnknownFormat):
		out.code = "InvalidFormat"
	case errors.Is(err, tiles.ErrUnknownCRS):
		out.code = "InvalidCRS"
	case errors.Is(err, tiles.ErrBadView), errors.Is(err, inference.ErrUnknownModel):
	case p.Status < http.StatusInternalServerError:
		if p.Status == http.StatusNotFound {
			out.code = "LayerNotDefined"
		}
	default:
		return out, p
	}
	return out, &common.Problem{Status: http.StatusOK}
}

type report struct {
	XMLName   xml.Name       `xml:"ServiceExceptionReport"`
	Version   version        `xml:"version,attr"`
	Namespace string         `xml:"xmlns,attr,omitempty"`
	Instance  string         `xml:"xmlns:xsi,attr,omitempty"`
	Schema    string         `xml:"xsi:schemaLocation,attr,omitempty"`
	Exception exceptionEntry `xml:"ServiceException"`
}

type exceptionEntry struct {
	Code string `xml:"code,attr,omitempty"`
	Text string `xml:",chardata"`
}

// writeException reports an error as the parameter EXCEPTIONS asks: as XML, in
// a picture, or as an empty picture. No cache may keep it.
func (a *API) writeException(c echo.Context, p params, v version, err error) error {
	e, problem := asException(err)
	if problem.Status >= 499 {
		// Logs, and answers nobody where the client has gone.
		if c.Request().Context().Err() != nil {
			return a.Site.WriteError(c, err)
		}
		a.Site.Logged(c, err)
		if problem.RetryAfter > 0 {
			c.Response().Header().Set("Retry-After", strconv.Itoa(problem.RetryAfter))
		}
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	how := strings.ToLower(p["EXCEPTIONS"])
	if strings.EqualFold(p["REQUEST"], "GetMap") && problem.Status == http.StatusOK {
		blank := strings.HasSuffix(how, "blank")
		if blank || strings.HasSuffix(how, "inimage") {
			if body, kind, ok := a.exceptionPicture(p, e, blank); ok {
				return common.Blob(c, http.StatusOK, kind, body)
			}
		}
	}
	r := report{Version: v, Exception: exceptionEntry{e.code, e.text}}
	kind := "text/xml; charset=utf-8"
	head := xml.Header
	if v == v130 {
		r.Namespace, r.Instance = "http://www.opengis.net/ogc", "http://www.w3.org/2001/XMLSchema-instance"
		r.Schema = "http://www.opengis.net/ogc http://schemas.opengis.net/wms/1.3.0/exceptions_1_3_0.xsd"
	} else {
		kind = "application/vnd.ogc.se_xml"
		head += `<!DOCTYPE ServiceExceptionReport SYSTEM "http://schemas.opengis.net/wms/1.1.1/exception_1_1_1.dtd">` + "\n"
		switch r.Exception.Code { // 1.1.1 calls one differently and lacks these
		case "InvalidCRS":
			r.Exception.Code = "InvalidSRS"
		case "InvalidPoint", "OperationNotSupported":
			r.Exception.Code = ""
		}
	}
	body, xerr := xml.MarshalIndent(r, "", "  ")
	if xerr != nil {
		return fmt.Errorf("encode exception report: %w", xerr)
	}
	return common.Blob(c, problem.Status, kind, append([]byte(head), append(body, '\n')...))
}

// exceptionPicture draws the error, or nothing, in the size and format asked
// for. It is not ok where those are wrong too: then only XML is left.
func (a *API) exceptionPicture(p params, e exception, blank bool) (body []byte, kind string, ok bool) {
	width, err := parseSize(p, "WIDTH", a.MaxWidth)
	if err != nil {
		return nil, "", false
	}
	height, err := parseSize(p, "HEIGHT", a.MaxHeight)
	if err != nil {
		return nil, "", false
	}
	f, err := parseFormat(p["FORMAT"])
	if err != nil || f != common.JPEG {
		f = common.PNG
	}
	transparent, bg, err := p.background()
	if err != nil {
		transparent, bg = false, color.White
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	if !transparent || f == common.JPEG {
		draw.Draw(img, img.Bounds(), image.NewUniform(bg), image.Point{}, draw.Src)
	}
	if !blank {
		writeText(img, e.text)
	}
	if body, err = common.EncodePicture(img, f); err != nil {
		return nil, "", false
	}
	return body, f.MediaType(), true
}

// writeText writes the words line by line as far as there is room.
func writeText(img draw.Image, text string) {
	face := basicfont.Face7x13
	d := font.Drawer{Dst: img, Src: image.NewUniform(color.NRGBA{R: 180, A: 255}), Face: face}
	const margin = 4
	room := max(1, (img.Bounds().Dx()-2*margin)/face.Advance)
	line := ""
	y := margin + face.Ascent
	flush := func() {
		d.Dot = fixed.P(margin, y)
		d.DrawString(line)
		line = ""
		y += face.Height
	}
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > room {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
		if y > img.Bounds().Dy() {
			return
		}
	}
	flush()
}
