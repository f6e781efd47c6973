package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMapLibraries draws with OpenLayers and Leaflet in a browser.
func TestMapLibraries(t *testing.T) {
	url := shared(t)
	node := tool(t, "node")
	out := runTool(t, 5*time.Minute, node, "../web/test/clients.mjs", url, eventID+"_post", eventID+"_landslides")
	var seen struct {
		Seen    map[string][3]int
		Vectors map[string]struct{ Inside, Outside int }
	}
	require.NoError(t, json.Unmarshal(lastLine(out), &seen), "%s", out)
	assert.Len(t, seen.Seen, 9)
	assert.Len(t, seen.Vectors, 2, "Mapbox vector tiles and GeoJSON")
	t.Logf("pixels that agree: %+v", seen.Vectors)
}

// middleOf returns row and column of the WebMercatorQuad tile in the middle of the event.
func middleOf(t *testing.T, url string, z int) (row, col int) {
	b := bounds(t, url)
	lon, lat := (b[0]+b[2])/2, (b[1]+b[3])/2*math.Pi/180
	n := float64(int(1) << z)
	return int((1 - math.Asinh(math.Tan(lat))/math.Pi) / 2 * n), int((lon + 180) / 360 * n)
}

func readPNG(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	return img
}

// GDAL's WMTS driver reads, in both bindings, the pixels that the server draws.
func TestGDALReadsWMTS(t *testing.T) {
	url := shared(t)
	gdalinfo, translate := tool(t, "gdalinfo", "--version"), tool(t, "gdal_translate", "--version")
	const z = 14
	row, col := middleOf(t, url, z)
	answer, want := send(t, "GET", fmt.Sprintf("%s/collections/%s_post/map/tiles/WebMercatorQuad/%d/%d/%d?f=png", url, eventID, z, row, col), "")
	require.Equal(t, 200, answer.StatusCode)
	const world = 2 * math.Pi * 6378137
	side := world / float64(int(1)<<z)
	left, top := float64(col)*side-world/2, world/2-float64(row)*side
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }
	for _, capabilities := range []string{url + "/wmts/1.0.0/WMTSCapabilities.xml", url + "/wmts?service=WMTS&request=GetCapabilities"} {
		list := runTool(t, time.Minute, gdalinfo, "WMTS:"+capabilities)
		assert.Contains(t, string(list), "layer="+eventID+"_probability")
		source := "WMTS:" + capabilities + ",layer=" + eventID + "_post,tilematrixset=WebMercatorQuad,tilematrix=" + strconv.Itoa(z)
		picture := filepath.Join(t.TempDir(), "tile.png")
		runTool(t, time.Minute, translate, "-q", "-of", "PNG", "-outsize", "256", "256", "-projwin", number(left), number(top), number(left+side), number(top-side), "-projwin_srs", "EPSG:3857", source, picture)
		data, err := os.ReadFile(picture)
		require.NoError(t, err)
		assertSameColours(t, readPNG(t, want), readPNG(t, data))
	}
}

// assertSameColours compares two pictures pixel by pixel; what is transparent in one may be anything in the other's alpha.
func assertSameColours(t *testing.T, a, b image.Image) {
	t.Helper()
	require.Equal(t, a.Bounds(), b.Bounds())
	differ := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r0, g0, b0, _ := a.At(x, y).RGBA()
			r1, g1, b1, _ := b.At(x, y).RGBA()
			if r0 != r1 || g0 != g1 || b0 != b1 {
				differ++
			}
		}
	}
	assert.Zero(t, differ, "pixels that differ from the server's own picture")
}

// GDAL's WMS driver reads, with both versions and either order of axes, the
// pixels that the server draws.
func TestGDALReadsWMSPixels(t *testing.T) {
	url := shared(t)
	translate := tool(t, "gdal_translate", "--version")
	b := bounds(t, url)
	for i := range b {
		b[i] = math.Round(b[i]*1e4) / 1e4 // GDAL writes eight digits behind the point
	}
	const width, height = 300, 200
	box := func(order [4]int) string {
		return fmt.Sprintf("%.10f,%.10f,%.10f,%.10f", b[order[0]], b[order[1]], b[order[2]], b[order[3]])
	}
	for name, v := range map[string]struct {
		version, reference, crs, order string
		box                            string
	}{
		"1.3.0, latitude first":  {"1.3.0", "CRS", "EPSG:4326", "yxYX", box([4]int{1, 0, 3, 2})},
		"1.3.0, longitude first": {"1.3.0", "CRS", "CRS:84", "xyXY", box([4]int{0, 1, 2, 3})},
		"1.1.1":                  {"1.1.1", "SRS", "EPSG:4326", "xyXY", box([4]int{0, 1, 2, 3})},
	} {
		answer, want := send(t, "GET", fmt.Sprintf("%s/wms?SERVICE=WMS&VERSION=%s&REQUEST=GetMap&LAYERS=%s_post&STYLES=&%s=%s&BBOX=%s&WIDTH=%d&HEIGHT=%d&FORMAT=image/png",
			url, v.version, eventID, v.reference, v.crs, v.box, width, height), "")
		require.Equal(t, 200, answer.StatusCode, "%s: %s", name, want)
		folder := t.TempDir()
		service, picture := filepath.Join(folder, "wms.xml"), filepath.Join(folder, "map.png")
		require.NoError(t, os.WriteFile(service, fmt.Appendf(nil, `<GDAL_WMS>
			<Service name="WMS"><Version>%s</Version><ServerUrl>%s/wms?</ServerUrl><Layers>%s_post</Layers><%s>%s</%[4]s>
				<ImageFormat>image/png</ImageFormat><BBoxOrder>%[6]s</BBoxOrder></Service>
			<DataWindow><UpperLeftX>%.10[7]f</UpperLeftX><UpperLeftY>%.10[8]f</UpperLeftY><LowerRightX>%.10[9]f</LowerRightX><LowerRightY>%.10[10]f</LowerRightY>
				<SizeX>%[11]d</SizeX><SizeY>%[12]d</SizeY></DataWindow>
			<BlockSizeX>%[11]d</BlockSizeX><BlockSizeY>%[12]d</BlockSizeY><Projection>EPSG:4326</Projection><BandsCount>3</BandsCount></GDAL_WMS>`,
			v.version, url, eventID, v.reference, v.crs, v.order, b[0], b[3], b[2], b[1], width, height), 0o644))
		runTool(t, time.Minute, translate, "-q", "-of", "PNG", service, picture)
		got, err := os.ReadFile(picture)
		require.NoError(t, err)
		t.Log(name)
		assertSameColours(t, readPNG(t, want), readPNG(t, got))
	}
}

// The coverage is a cloud-optimised GeoTIFF on the event's grid, in both kinds of values.
func TestGDALReadsTheCoverage(t *testing.T) {
	url := shared(t)
	gdalinfo := tool(t, "gdalinfo", "--version")
	var means [2]float64
	for i, values := range []string{"float", "byte"} {
		answer, data := send(t, "GET", url+"/collections/"+eventID+"_probability/coverage?values="+values, "")
		require.Equal(t, 200, answer.StatusCode, "%s", data)
		file := filepath.Join(t.TempDir(), "coverage.tif")
		require.NoError(t, os.WriteFile(file, data, 0o644))
		var info struct {
			Size     [2]int
			Metadata map[string]map[string]string
			Bands    []struct {
				Type          string
				Scale         float64
				Mean, Maximum float64
			}
		}
		require.NoError(t, json.Unmarshal(runTool(t, time.Minute, gdalinfo, "-json", "-stats", file), &info))
		assert.Equal(t, [2]int{512, 512}, info.Size, "the event's own grid")
		assert.Equal(t, "COG", info.Metadata["IMAGE_STRUCTURE"]["LAYOUT"])
		band := info.Bands[0]
		assert.Equal(t, []string{"Float32", "Byte"}[i], band.Type)
		means[i] = band.Mean
		if values == "byte" {
			assert.InDelta(t, 0.004, band.Scale, 1e-12)
			means[i] *= band.Scale
		}
	}
	assert.InDelta(t, means[0], means[1], 1e-3) // gdalinfo rounds
	assert.Positive(t, means[0])
}

// pixels reads a raster as GDAL does with the options, as four bytes a pixel in the order of the machine.
func pixels(t *testing.T, source string, options ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pixels")
	runTool(t, 2*time.Minute, tool(t, "gdal_translate", "--version"), append(append([]string{"-q", "-of", "ENVI", "-ot", "Float32"}, options...), source, name)...)
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// assertSamePixels compares rasters of numbers, of which not all are the same.
func assertSamePixels(t *testing.T, want, got []byte) {
	t.Helper()
	require.Len(t, got, len(want))
	values, differ := map[string]bool{}, 0
	for i := 0; i < len(want); i += 4 {
		values[string(want[i:i+4])] = true
		if !bytes.Equal(want[i:i+4], got[i:i+4]) {
			differ++
		}
	}
	assert.Zero(t, differ, "pixels that differ")
	assert.Greater(t, len(values), 1, "there is something to see")
}

// GDAL reads of the coverage what it needs, and finds there what the file has.
func TestGDALReadsTheCoverageInRanges(t *testing.T) {
	url := shared(t)
	target := url + "/collections/" + eventID + "_probability/coverage"
	answer, data := send(t, "GET", target, "")
	require.Equal(t, 200, answer.StatusCode, "%s", data)
	file := filepath.Join(t.TempDir(), "coverage.tif")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	for name, options := range map[string][]string{"whole": nil, "a window": {"-srcwin", "300", "200", "100", "150"}, "the overview": {"-outsize", "256", "256"}} {
		t.Log(name)
		assertSamePixels(t, pixels(t, file, options...), pixels(t, "/vsicurl/"+target, options...))
	}
	piece, part := send(t, "GET", target, "", "Range", "bytes=100-199", "If-Range", answer.Header.Get("ETag"))
	assert.Equal(t, 206, piece.StatusCode)
	assert.Equal(t, data[100:200], part)
	assert.Equal(t, answer.Header.Get("Last-Modified"), piece.Header.Get("Last-Modified"), "it is the same file")
}
