package tiles_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scarp-map/scarp/tiles"
)

func TestNorthingFirst(t *testing.T) {
	for epsg, want := range map[int]bool{4326: true, 4258: true, 3857: false, 32648: false, 32748: false, 3035: true, 31467: true, 3031: false, 2154: false, 999999: false} {
		assert.Equal(t, want, tiles.NorthingFirst(epsg), "EPSG:%d", epsg)
	}
}
