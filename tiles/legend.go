package tiles

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

const (
	legendRow    = 20 // pixels an entry
	legendSwatch = 28
	legendPad    = 6
	legendMax    = 2048 // pixels a side
)

// LegendImage draws a style's legend as PNG; the empty style is the layer's
// default. Width and height 0 mean what the entries need; smaller ones than
// that cut it off, as clients that ask for an icon expect.
func (e *Engine) LegendImage(l Layer, style string, width, height int) ([]byte, error) {
	s, err := e.styles.find(l, style)
	if err != nil {
		return nil, err
	}
	if width < 0 || height < 0 || width > legendMax || height > legendMax {
		return nil, fmt.Errorf("%w: a legend of %d×%d pixels; up to %d×%d can be had", ErrBadView, width, height, legendMax, legendMax)
	}
	entries := drawnEntries(s.info.Legend)
	if width == 0 {
		width = s.info.LegendSize.X
	}
	if height == 0 {
		height = s.info.LegendSize.Y
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	if width < legendSwatch+2*legendPad || height < legendRow { // an icon: the strongest colour alone
		draw.Draw(img, img.Rect, image.NewUniform(entries[len(entries)/2].Color), image.Point{}, draw.Over)
		return e.encoder.png.picture(img)
	}
	for i, entry := range entries {
		top := legendPad + i*legendRow
		swatch := image.Rect(legendPad, top+2, legendPad+legendSwatch, top+legendRow-2)
		if entry.Color == hatchColor {
			drawHatch(img, swatch)
		} else {
			draw.Draw(img, swatch, image.NewUniform(entry.Color), image.Point{}, draw.Over)
		}
		text := font.Drawer{Dst: img, Src: image.NewUniform(legendInk), Face: basicfont.Face7x13,
			Dot: fixed.P(2*legendPad+legendSwatch, top+legendRow/2+basicfont.Face7x13.Ascent/2-1)}
		text.DrawString(entry.Label)
	}
	return e.encoder.png.picture(img)
}

// drawHatch fills a swatch as hatch does cloud.
func drawHatch(img *image.NRGBA, r image.Rectangle) {
	r = r.Intersect(img.Rect)
	ground := over(cloudTint, color.NRGBA{R: 200, G: 200, B: 200, A: 255})
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := ground
			if (x+y)%hatchPeriod < hatchWidth {
				c = over(hatchColor, ground)
			}
			img.SetNRGBA(x, y, c)
		}
	}
}

// drawnEntries are what a legend shows: its entries, or the three channels of an image.
func drawnEntries(entries []Legend) []Legend {
	if len(entries) > 0 {
		return entries
	}
	return []Legend{{Label: "red", Color: color.NRGBA{R: 200, A: 255}}, {Label: "green", Color: color.NRGBA{G: 160, A: 255}}, {Label: "blue", Color: color.NRGBA{B: 210, A: 255}}}
}

// legendSize is what a drawn legend needs.
func legendSize(entries []Legend) image.Point {
	entries = drawnEntries(entries)
	widest := 0
	for _, entry := range entries {
		widest = max(widest, font.MeasureString(basicfont.Face7x13, entry.Label).Ceil())
	}
	return image.Pt(3*legendPad+legendSwatch+widest, 2*legendPad+legendRow*len(entries))
}
