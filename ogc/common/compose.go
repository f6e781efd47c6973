package common

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"strconv"

	"github.com/scarp-map/scarp/tiles"
)

// MaxLayers bounds the collections of one picture.
const MaxLayers = 16

// Compose lays pictures over each other, the first at the bottom. draw draws
// the i-th of n as PNG, on its background if it is the bottom. The result is
// PNG or JPEG; for other formats the error is a [Problem].
func Compose(n int, format Format, draws func(i int) (tiles.Rendered, error)) (tiles.Rendered, error) {
	out := tiles.Rendered{ContentType: format.MediaType(), Complete: true}
	if format != PNG && format != JPEG {
		return out, BadRequest("%s is for one collection at a time; several come as image/png or image/jpeg", format.MediaType())
	}
	var canvas *image.NRGBA
	h := sha256.New()
	for i := range n {
		r, err := draws(i)
		if err != nil {
			return out, err
		}
		img, err := png.Decode(bytes.NewReader(r.Bytes))
		if err != nil {
			return out, fmt.Errorf("decode layer %d: %w", i+1, err)
		}
		if canvas == nil {
			canvas = image.NewNRGBA(img.Bounds())
		}
		draw.Draw(canvas, canvas.Bounds(), img, img.Bounds().Min, draw.Over)
		out.Complete = out.Complete && r.Complete
		if r.Modified.After(out.Modified) {
			out.Modified = r.Modified
		}
		fmt.Fprintf(h, "%d;%s;", i, r.ETag)
	}
	fmt.Fprint(h, format)
	var err error
	if out.Bytes, err = EncodePicture(canvas, format); err != nil {
		return out, fmt.Errorf("encode %d layers: %w", n, err)
	}
	out.ETag = strconv.Quote(hex.EncodeToString(h.Sum(nil)[:12]))
	return out, nil
}

// EncodePicture encodes a picture as JPEG or, for all other formats, PNG.
func EncodePicture(img *image.NRGBA, f Format) ([]byte, error) {
	if f == JPEG {
		var b bytes.Buffer
		err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 86})
		return b.Bytes(), err
	}
	return tiles.EncodePNG(img)
}
