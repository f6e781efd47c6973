package imagery_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/scarp-map/scarp/imagery"
)

// BenchmarkReadWindow reads what a patch of BBUnet with its halo needs: 12 bands of both sides and terrain.
func BenchmarkReadWindow(b *testing.B) {
	request := func(x int) imagery.Request {
		return imagery.Request{Rect: imagery.Rect{X: x, Y: 100, W: 320, H: 320}, Pre: twelve, Post: twelve, Terrain: allTerrain, Clouds: true}
	}
	run := func(b *testing.B, e imagery.Event) {
		s := open(b, e)
		read(b, s, request(100))
		b.ReportAllocs()
		before := cpuTime()
		for b.Loop() {
			read(b, s, request(100))
		}
		b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	}
	b.Run("OnGrid", func(b *testing.B) { run(b, pair(b, 700, 700)) })
	b.Run("FilePerBand", func(b *testing.B) {
		e, dir := pair(b, 700, 700), b.TempDir()
		for band, pixel := range safeResolution {
			s := utm(7000/pixel, 7000/pixel)
			s.pixel = float64(pixel)
			writeRaster(b, filepath.Join(dir, "20180910", band+".tif"), s, func(_, x, y int) uint16 {
				if band == "SCL" {
					return 4
				}
				return pattern(pixel)(0, x, y)
			})
		}
		e.Pre, e.Post = []imagery.Scene{{Path: filepath.Join(dir, "20180910")}}, []imagery.Scene{{Path: filepath.Join(dir, "20180910")}}
		run(b, e)
	})
	b.Run("Warped", func(b *testing.B) {
		e, dir := pair(b, 700, 700), b.TempDir()
		degrees := rasterSpec{epsg: 4326, left: 139.74, top: 43.37, pixel: 0.0001, width: 1200, height: 1000, bands: twelve}
		e.Pre = []imagery.Scene{{Path: writeRaster(b, filepath.Join(dir, "degrees.tif"), degrees, pattern(3))}}
		run(b, e)
	})
}

// cpuTime is the time that the process has computed for, which other processes on the machine don't stretch.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
