package tiles

import (
	"math"

	"github.com/scarp-map/scarp/inference"
)

// finishValues encodes the numbers themselves: a GeoTIFF of 0 to 1 with NaN
// where there is none, or a grey picture in the other formats.
func (e *Engine) finishValues(d drawing, pix []uint8) (data []byte, complete bool, err error) {
	complete = true
	for i, code := range pix {
		switch {
		case code == inference.NotPredicted:
			complete = false
			pix[i] = clearIndex
		case code > inference.MaxProbability:
			pix[i] = clearIndex
		case d.layer == Mask && float64(code) >= d.threshold*float64(inference.MaxProbability):
			pix[i] = inference.MaxProbability
		case d.layer == Mask:
			pix[i] = 0
		}
	}
	if d.finish.format != formatTIFF {
		data, err = e.encoder.indexed(pix, *e.palette(d.style, 0), d.finish)
		return data, complete, err
	}
	if d.finish.bytes {
		data, err = e.encoder.bytes(pix, string(d.layer), d.finish.frame)
		return data, complete, err
	}
	values := make([]float32, len(pix))
	for i, code := range pix {
		if code == clearIndex {
			values[i] = float32(math.NaN())
		} else {
			values[i] = float32(code) / float32(inference.MaxProbability)
		}
	}
	data, err = e.encoder.floats(values, string(d.layer), d.finish.frame)
	return data, complete, err
}
