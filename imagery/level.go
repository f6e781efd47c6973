package imagery

import (
	"context"
	"math"
	"sync"
)

// layer is one band of a raster and how its numbers are meant.
type layer struct {
	*raster
	band   int    // 0-based
	name   string // B02, SCL
	offset int    // added to digital numbers
}

// stripPixels bounds the pixels that are read at once to average them into a level.
const stripPixels = 4 << 20

// readLevel fills buf (row-major, stride elements a row) with the rectangle win
// of the layer's level: harmonised digital numbers, 0 where there is no data.
// Level pixels are means of the pixels with data that they cover.
func (l *layer) readLevel(ctx context.Context, factor int, win Rect, buf []uint16, stride int) error {
	if factor == 1 {
		if err := l.read(ctx, l.band, nil, win.X, win.Y, win.W, win.H, buf, stride); err != nil {
			return err
		}
		l.harmonise(buf, win.W, win.H, stride)
		return nil
	}
	clearRows(buf, win, stride)
	return l.reduce(ctx, factor, win, func(y, n int, src []uint16, w, h int) {
		l.harmonise(src, w, h, w)
		for x := range win.W {
			sum, count := uint64(0), uint64(0)
			for j := range h {
				for i := x * n; i < min((x+1)*n, w); i++ {
					if s := src[j*w+i]; s != 0 {
						sum += uint64(s)
						count++
					}
				}
			}
			if count > 0 {
				buf[y*stride+x] = uint16((sum + count/2) / count)
			}
		}
	})
}

// readClasses is readLevel for class numbers: a level pixel is the pixel at its centre.
func (l *layer) readClasses(ctx context.Context, factor int, win Rect, buf []uint16, stride int) error {
	if factor == 1 {
		return l.read(ctx, l.band, nil, win.X, win.Y, win.W, win.H, buf, stride)
	}
	clearRows(buf, win, stride)
	return l.reduce(ctx, factor, win, func(y, n int, src []uint16, w, h int) {
		row := min(n/2, h-1) * w
		for x := range win.W {
			buf[y*stride+x] = src[row+min(x*n+n/2, w-1)]
		}
	})
}

// clearRows empties a window: an overview that was rounded down does not fill its last column and row.
func clearRows(buf []uint16, win Rect, stride int) {
	for y := range win.H {
		clear(buf[y*stride : y*stride+win.W])
	}
}

// reduce reads what lies under a level window from the best overview, a row of
// level pixels at a time: row gets the window's row y, and the w×h pixels
// below it, of which n×n make a level pixel.
func (l *layer) reduce(ctx context.Context, factor int, win Rect, row func(y, n int, src []uint16, w, h int)) error {
	fw, fh, n, ov := l.width, l.height, factor, (*overview)(nil)
	for i := range l.bands[l.band].overviews {
		if o := &l.bands[l.band].overviews[i]; factor%o.factor == 0 && factor/o.factor < n {
			ov, n, fw, fh = o, factor/o.factor, o.width, o.height
		}
	}
	x0, x1 := win.X*n, min((win.X+win.W)*n, fw)
	if x1 <= x0 {
		return nil
	}
	w := x1 - x0
	rows := max(stripPixels/(w*n), 1) // level rows a strip
	src := getScratch(min(rows, win.H) * n * w)
	defer putScratch(src)
	for y := 0; y < win.H; y += rows {
		y0, y1 := (win.Y+y)*n, min((win.Y+min(y+rows, win.H))*n, fh)
		if y1 <= y0 {
			break
		}
		if err := l.read(ctx, l.band, ov, x0, y0, w, y1-y0, src, w); err != nil {
			return err
		}
		for k := y; k < min(y+rows, win.H); k++ {
			top := (k - y) * n
			if h := min(n, y1-y0-top); h > 0 {
				row(k, n, src[top*w:(top+h)*w], w, h)
			}
		}
	}
	return nil
}

// harmonise turns stored numbers into reflectance × 10000 on the scale of the
// baselines before 04.00. 0 stays the mark of no data: numbers that would fall
// to 0 or below become 1, the darkest value.
func (l *layer) harmonise(buf []uint16, w, h, stride int) {
	nodata := uint16(0)
	if b := l.bands[l.band]; b.hasNodata && b.nodata > 0 && b.nodata <= math.MaxUint16 && b.nodata == math.Trunc(b.nodata) {
		nodata = uint16(b.nodata)
	}
	if nodata == 0 && l.offset == 0 {
		return
	}
	for y := range h {
		line := buf[y*stride : y*stride+w]
		for i, v := range line {
			switch {
			case v == 0:
			case v == nodata:
				line[i] = 0
			default:
				line[i] = uint16(min(max(int(v)+l.offset, 1), math.MaxUint16))
			}
		}
	}
}

// scratch keeps working buffers between reads.
var scratch sync.Pool

func getScratch(n int) []uint16 {
	if p, _ := scratch.Get().(*[]uint16); p != nil && cap(*p) >= n {
		return (*p)[:n]
	}
	return make([]uint16, n)
}

func putScratch(b []uint16) {
	if cap(b) <= stripPixels*2 {
		scratch.Put(&b)
	}
}
