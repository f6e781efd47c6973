package imagery_test

import (
	"testing"

	"scarp/imagery"
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
		for b.Loop() {
			read(b, s, request(100))
		}
	}
	b.Run("OnGrid", func(b *testing.B) { run(b, pair(b, 700, 700)) })
}
