package tiles

import (
	"image/color"
	"math"
)

// lch is a colour in OKLCH, the polar form of OKLab (B. Ottosson, "A perceptual
// color space for image processing", 2020): lightness 0–1, chroma, hue in
// degrees. Equal steps in it look about equally large.
type lch struct{ l, c, h float64 }

// mix goes from a to b in a straight line, t from 0 to 1; hues are unwrapped by the caller.
func mix(a, b lch, t float64) lch {
	return lch{a.l + (b.l-a.l)*t, a.c + (b.c-a.c)*t, a.h + (b.h-a.h)*t}
}

// rgb converts to sRGB. Colours outside the gamut lose chroma, not lightness or hue.
func (p lch) rgb(alpha uint8) color.NRGBA {
	for ; ; p.c *= 0.98 {
		r, g, b := p.linear()
		low, high := min(r, g, b), max(r, g, b)
		if (low >= -1e-4 && high <= 1+1e-4) || p.c < 1e-3 {
			return color.NRGBA{R: companded(r), G: companded(g), B: companded(b), A: alpha}
		}
	}
}

// linear converts to linear sRGB with the matrices of the OKLab paper.
func (p lch) linear() (r, g, b float64) {
	sin, cos := math.Sincos(p.h * math.Pi / 180)
	la, lb := p.c*cos, p.c*sin
	l := cube(p.l + 0.3963377774*la + 0.2158037573*lb)
	m := cube(p.l - 0.1055613458*la - 0.0638541728*lb)
	s := cube(p.l - 0.0894841775*la - 1.2914855480*lb)
	return 4.0767416621*l - 3.3077115913*m + 0.2309699292*s,
		-1.2684380046*l + 2.6097574011*m - 0.3413193965*s,
		-0.0041960863*l - 0.7034186147*m + 1.7076147010*s
}

func cube(v float64) float64 { return v * v * v }

// companded applies the transfer function of sRGB (IEC 61966-2-1).
func companded(v float64) uint8 {
	v = min(max(v, 0), 1)
	if v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return uint8(v*255 + 0.5)
}

// over lays a colour over an opaque background.
func over(c color.NRGBA, background color.NRGBA) color.NRGBA {
	a := uint32(c.A)
	blend := func(f, b uint8) uint8 { return uint8((uint32(f)*a + uint32(b)*(255-a) + 127) / 255) }
	return color.NRGBA{R: blend(c.R, background.R), G: blend(c.G, background.G), B: blend(c.B, background.B), A: 255}
}

// opaque returns a colour as opaque NRGBA; nil is white.
func opaque(c color.Color) color.NRGBA {
	if c == nil {
		return color.NRGBA{R: 255, G: 255, B: 255, A: 255}
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = 255
	return n
}
