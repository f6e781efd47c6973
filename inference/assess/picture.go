package assess

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

// maxPicture bounds a picture's sides in pixels.
const maxPicture = 1200

// Picture shows where the maps agree: a pixel of it is the most telling of the pixels that it covers.
type Picture struct {
	img    *image.Paletted
	factor int
}

// The colours by rising importance: nothing known, no landslide, hit, false alarm, miss.
var palette = color.Palette{
	color.NRGBA{0xff, 0xff, 0xff, 0xff}, color.NRGBA{0xe4, 0xe4, 0xe0, 0xff},
	color.NRGBA{0x2a, 0x8f, 0x4b, 0xff}, color.NRGBA{0xd7, 0x30, 0x1f, 0xff}, color.NRGBA{0x25, 0x63, 0xc7, 0xff},
}

const (
	unknown = iota
	background
	hit
	falseAlarm
	miss
)

func newPicture(width, height int) *Picture {
	factor := (max(width, height) + maxPicture - 1) / maxPicture
	return &Picture{img: image.NewPaletted(image.Rect(0, 0, (width+factor-1)/factor, (height+factor-1)/factor), palette), factor: factor}
}

func (p *Picture) add(x, y int, valid, mapped, truth bool) {
	var c uint8
	switch {
	case !valid:
		c = unknown
	case mapped && truth:
		c = hit
	case mapped:
		c = falseAlarm
	case truth:
		c = miss
	default:
		c = background
	}
	i := p.img.PixOffset(x/p.factor, y/p.factor)
	p.img.Pix[i] = max(p.img.Pix[i], c)
}

// PNG encodes the picture.
func (p *Picture) PNG() ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, p.img)
	return b.Bytes(), err
}
