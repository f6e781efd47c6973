package gpkg

import (
	"encoding/binary"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var diamond = orb.Polygon{{{1, 0}, {2, 1}, {1, 2}, {0, 1}, {1, 0}}}

// Other programs write other headers: none of the envelope, big-endian, a multipolygon.
func TestGeometriesOfOtherPrograms(t *testing.T) {
	bare, err := wkb.Marshal(diamond, binary.BigEndian)
	require.NoError(t, err)
	multi, err := wkb.Marshal(orb.MultiPolygon{diamond}, binary.LittleEndian)
	require.NoError(t, err)
	ours, err := encode(diamond)
	require.NoError(t, err)
	for name, b := range map[string][]byte{
		"ours":         ours,
		"no envelope":  append([]byte{'G', 'P', 0, 0, 0, 0, 0x10, 0xE6}, bare...),
		"multipolygon": append([]byte{'G', 'P', 0, 1, 0xE6, 0x10, 0, 0}, multi...),
		"xyz envelope": append(append([]byte{'G', 'P', 0, 2<<1 | 1, 0xE6, 0x10, 0, 0}, append(ours[8:headerSize:headerSize], make([]byte, 16)...)...), bare...),
	} {
		p, err := decode(b)
		require.NoError(t, err, name)
		assert.Equal(t, diamond, p, name)
		e, ok, err := bounds(b)
		require.NoError(t, err, name)
		assert.True(t, ok)
		assert.Equal(t, [4]float64{0, 2, 0, 2}, e, name)
		for box, want := range map[orb.Bound]bool{
			{Min: orb.Point{0, 0}, Max: orb.Point{0.4, 0.4}}: false, // a corner of its box that it does not reach
			{Min: orb.Point{0, 0}, Max: orb.Point{0.6, 0.6}}: true,
			{Min: orb.Point{5, 5}, Max: orb.Point{6, 6}}:     false,
		} {
			got, err := intersects(b, box)
			require.NoError(t, err, name)
			assert.Equal(t, want, got, "%s in %v", name, box)
		}
	}
	point, err := wkb.Marshal(orb.Point{1, 2})
	require.NoError(t, err)
	_, err = decode(append([]byte{'G', 'P', 0, 1, 0xE6, 0x10, 0, 0}, point...))
	assert.ErrorContains(t, err, "Point, not a polygon")
	_, ok, err := bounds([]byte{'G', 'P', 0, 1<<4 | 1, 0, 0, 0, 0})
	assert.NoError(t, err)
	assert.False(t, ok, "the empty flag")
}

// A damaged file must not stop the server.
func FuzzGeometry(f *testing.F) {
	ours, err := encode(diamond)
	require.NoError(f, err)
	f.Add(ours)
	f.Add([]byte{'G', 'P', 0, 0, 0, 0, 0x10, 0xE6, 0, 0, 0, 0, 3})
	box := orb.Bound{Max: orb.Point{1, 1}}
	f.Fuzz(func(_ *testing.T, b []byte) {
		decode(b)
		bounds(b)
		intersects(b, box)
	})
}
