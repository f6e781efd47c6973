package tiles

import (
	"encoding/hex"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Color is a colour of a style, written as #rrggbb, #rrggbbaa or
// oklch(lightness chroma hue) with an optional / alpha.
type Color struct {
	rgba color.NRGBA
	tone lch
}

// NRGBA returns the colour in sRGB.
func (c Color) NRGBA() color.NRGBA { return c.rgba }

var oklch = regexp.MustCompile(`^oklch\(([0-9.]+) ([0-9.]+) ([0-9.]+)(?: */ *([0-9.]+))?\)$`)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Color) UnmarshalText(text []byte) error {
	s := strings.ToLower(strings.TrimSpace(string(text)))
	if m := oklch.FindStringSubmatch(s); m != nil {
		v := [4]float64{3: 1}
		for i, limit := range [4]float64{1, 0.5, 360, 1} {
			if m[i+1] == "" {
				continue
			}
			n, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil || n > limit {
				return fmt.Errorf("colour %q: %s must be a number up to %g", s, m[i+1], limit)
			}
			v[i] = n
		}
		c.tone = lch{v[0], v[1], v[2]}
		c.rgba = c.tone.rgb(uint8(v[3]*255 + 0.5))
		return nil
	}
	digits, ok := strings.CutPrefix(s, "#")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != 3 && len(b) != 4 {
		return fmt.Errorf("colour %q must be #rrggbb, #rrggbbaa or oklch(lightness chroma hue / alpha)", s)
	}
	c.rgba = color.NRGBA{R: b[0], G: b[1], B: b[2], A: 255}
	if len(b) == 4 {
		c.rgba.A = b[3]
	}
	c.tone = lchOf(c.rgba)
	return nil
}

// MarshalText implements [encoding.TextMarshaler]: the colour in hexadecimal.
func (c Color) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "#%02x%02x%02x%02x", c.rgba.R, c.rgba.G, c.rgba.B, c.rgba.A), nil
}

// between mixes two colours, t from 0 to 1.
func between(a, b Color, t float64) color.NRGBA {
	switch t {
	case 0:
		return a.rgba
	case 1:
		return b.rgba
	}
	p, q := a.tone, b.tone
	const grey = 0.02 // greys have no hue of their own
	if p.c < grey {
		p.h = q.h
	} else if q.c < grey {
		q.h = p.h
	}
	p.h += 360 * math.Round((q.h-p.h)/360) // the shorter way round
	return mix(p, q, t).rgb(uint8(float64(a.rgba.A) + (float64(b.rgba.A)-float64(a.rgba.A))*t + 0.5))
}

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

// lchOf converts from sRGB with the matrices of the OKLab paper.
func lchOf(c color.NRGBA) lch {
	r, g, b := expanded(c.R), expanded(c.G), expanded(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	la := 1.9779984951*l - 2.4285922050*m + 0.4505937099*s
	lb := 0.0259040371*l + 0.7827717662*m - 0.8086757660*s
	return lch{l: 0.2104542553*l + 0.7936177850*m - 0.0040720468*s, c: math.Hypot(la, lb), h: math.Atan2(lb, la) * 180 / math.Pi}
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

// expanded undoes companded.
func expanded(v uint8) float64 {
	f := float64(v) / 255
	if f <= 0.04045 {
		return f / 12.92
	}
	return math.Pow((f+0.055)/1.055, 2.4)
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
