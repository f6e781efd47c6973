package imagery_test

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

// safeProduct is a made-up product as ESA packs them, of a tiny granule in real JPEG 2000 files.
type safeProduct struct {
	level, baseline string
	sensed          string // 20220310T012345
	offset          bool   // list offsets in the metadata
	value           func(band string) uint16
	scl             uint16
}

const safeSide = 120 // pixels of 10 m

var safeResolution = map[string]int{
	"B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60, "B10": 60, "B11": 20, "B12": 20, "SCL": 20,
}

func (p safeProduct) write(t testing.TB, dir string) string {
	t.Helper()
	product := fmt.Sprintf("S2B_MSI%s_%s_N%s_R016_T54TWN_20220310T040506.SAFE", p.level, p.sensed, strings.ReplaceAll(p.baseline, ".", ""))
	root := filepath.Join(dir, product)
	images := filepath.Join(root, "GRANULE", p.level+"_T54TWN_A000001_"+p.sensed, "IMG_DATA")
	jp2 := func(path string, pixel int, v uint16) {
		s := utm(safeSide*10/pixel, safeSide*10/pixel, "")
		s.pixel = float64(pixel)
		tif := writeRaster(t, filepath.Join(t.TempDir(), "x.tif"), s, func(_, x, y int) uint16 {
			if x == 0 && y == 0 {
				return 0 // a pixel of nodata
			}
			return v
		})
		ds, err := godal.Open(tif)
		require.NoError(t, err)
		defer ds.Close()
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		out, err := ds.Translate(path, []string{"-of", "JP2OpenJPEG", "-co", "REVERSIBLE=YES", "-co", "QUALITY=100", "-co", "CODEC=JP2"})
		require.NoError(t, err)
		require.NoError(t, out.Close())
	}
	for band, pixel := range safeResolution {
		if p.level == "L1C" {
			if band != "SCL" {
				jp2(filepath.Join(images, fmt.Sprintf("T54TWN_%s_%s.jp2", p.sensed, band)), pixel, p.value(band))
			}
			continue
		}
		if band == "B10" {
			continue
		}
		for _, coarser := range []int{10, 20, 60} {
			v := p.scl
			if band != "SCL" {
				v = p.value(band)
			}
			if coarser < pixel {
				continue
			}
			if coarser > pixel {
				v = 9999 // the coarse copies must not be taken
			}
			jp2(filepath.Join(images, fmt.Sprintf("R%dm", coarser), fmt.Sprintf("T54TWN_%s_%s_%dm.jp2", p.sensed, band, coarser)), coarser, v)
		}
	}
	offsets := ""
	if p.offset {
		for i := range 13 {
			offsets += fmt.Sprintf(`<BOA_ADD_OFFSET band_id="%d">-1000</BOA_ADD_OFFSET>`, i)
		}
		offsets = "<BOA_ADD_OFFSET_VALUES_LIST>" + offsets + "</BOA_ADD_OFFSET_VALUES_LIST>"
		if p.level == "L1C" {
			offsets = strings.NewReplacer("BOA_ADD_OFFSET_VALUES_LIST", "Radiometric_Offset_List", "BOA_ADD_OFFSET", "RADIO_ADD_OFFSET").Replace(offsets)
		}
	}
	day, err := time.Parse("20060102T150405", p.sensed)
	require.NoError(t, err)
	xml := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"><n1:General_Info><Product_Info>
<PRODUCT_START_TIME>%[1]s</PRODUCT_START_TIME><PROCESSING_LEVEL>Level-%[2]s</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI%[2]s</PRODUCT_TYPE>
<PROCESSING_BASELINE>%[3]s</PROCESSING_BASELINE><Datatake datatakeIdentifier="x"><DATATAKE_SENSING_START>%[1]s</DATATAKE_SENSING_START></Datatake>
</Product_Info><Product_Image_Characteristics>%[4]s</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>`,
		day.Format("2006-01-02T15:04:05.000Z"), p.level[1:], p.baseline, offsets)
	require.NoError(t, os.WriteFile(filepath.Join(root, "MTD_MSI"+p.level+".xml"), []byte(xml), 0o644))
	return root
}

// zipped packs a folder as downloads are packed, with the folder's name on top.
func zipped(t testing.TB, folder string) string {
	t.Helper()
	path := strings.TrimSuffix(folder, ".SAFE") + ".zip"
	f, err := os.Create(path)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	base := filepath.Dir(folder)
	require.NoError(t, filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(base, file)
		if err != nil {
			return err
		}
		w, err := z.Create(filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}))
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	return path
}

// bandValue gives every band its own number, above the offset of baseline 04.00.
func bandValue(band string) uint16 {
	for i, b := range imagery.Bands() {
		if b == band {
			return uint16(2000 + 100*i)
		}
	}
	return 0
}

func TestSAFEFoldersAndZips(t *testing.T) {
	dir := t.TempDir()
	old := safeProduct{level: "L2A", baseline: "02.14", sensed: "20200219T012345", value: bandValue, scl: 4}
	harmonised := safeProduct{level: "L2A", baseline: "04.00", sensed: "20220310T012345", value: bandValue, scl: 8, offset: true}
	folder := old.write(t, dir)
	zipFile := zipped(t, harmonised.write(t, dir))
	demSpec := utm(160, 160)
	demSpec.left, demSpec.top = 399800, 4800200
	e := imagery.Event{
		ID: "safe", Title: "SAFE", Trigger: imagery.Trigger{Time: time.Date(2022, 3, 1, 0, 0, 0, 0, time.UTC)},
		Pre: []imagery.Scene{{Path: folder}}, Post: []imagery.Scene{{Path: zipFile}},
		DEM: writeRaster(t, filepath.Join(dir, "dem.tif"), demSpec, hills),
	}
	s := open(t, e)
	assert.Equal(t, imagery.Grid{EPSG: 32654, OriginX: 400000, OriginY: 4800000, Width: safeSide, Height: safeSide}, s.Grid())
	assert.Equal(t, "L2A", s.Level(imagery.Pre))
	assert.Equal(t, []time.Time{time.Date(2022, 3, 10, 1, 23, 45, 0, time.UTC)}, s.Dates(imagery.Post))

	w := read(t, s, imagery.Request{Rect: imagery.Rect{X: 20, Y: 20, W: 40, H: 40}, Pre: twelve, Post: twelve, Clouds: true})
	for b, band := range twelve {
		for i := range w.Pre[b] {
			require.Equal(t, bandValue(band), w.Pre[b][i], "pre %s", band)
			require.Equal(t, bandValue(band)-1000, w.Post[b][i], "post %s loses the offset of its baseline", band)
		}
	}
	assert.Equal(t, imagery.Clear, w.PreCloud[5])
	assert.Equal(t, imagery.ThickCloud, w.PostCloud[5])
	assert.Equal(t, uint8(1), w.PostValid[5])

	corner := read(t, s, imagery.Request{Rect: imagery.Rect{W: 8, H: 8}, Pre: []string{"B04", "B11"}, Post: []string{"B04"}, Clouds: true})
	assert.Equal(t, uint16(0), corner.Pre[0][0])
	assert.Equal(t, uint8(0), corner.PreValid[0], "0 is nodata though the file doesn't say so")
	assert.Equal(t, uint16(0), corner.Pre[1][0])
	assert.Equal(t, bandValue("B11"), corner.Pre[1][2], "nodata does not darken its neighbours")
}

func TestSAFELevel1C(t *testing.T) {
	dir := t.TempDir()
	p := safeProduct{level: "L1C", baseline: "04.00", sensed: "20220310T012345", value: bandValue, offset: true}
	e := pair(t, safeSide, safeSide)
	e.Post = []imagery.Scene{{Path: p.write(t, dir)}}
	s := open(t, e)
	assert.Equal(t, "L1C", s.Level(imagery.Post))
	w := read(t, s, imagery.Request{Rect: imagery.Rect{X: 10, Y: 10, W: 4, H: 4}, Post: []string{"B10", "B12"}})
	assert.Equal(t, bandValue("B10")-1000, w.Post[0][0])
	assert.Equal(t, bandValue("B12")-1000, w.Post[1][0])
}
