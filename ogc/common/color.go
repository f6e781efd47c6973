package common

import (
	"image/color"
	"strconv"
	"strings"
)

// ParseColor reads the value of bgcolor: 0xRRGGBB or #RRGGBB (also with AA in front, as OGC API Maps
// has it), RRGGBB, or one of the sixteen basic names of the web.
func ParseColor(s string) (color.NRGBA, error) {
	hex := strings.ToLower(s)
	if v, ok := webColor(hex); ok {
		hex = v
	}
	hex = strings.TrimPrefix(strings.TrimPrefix(hex, "0x"), "#")
	v, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 && len(hex) != 8 || hex[0] == '+' || hex[0] == '-' {
		return color.NRGBA{}, BadRequest("bgcolor=%s must be 0xRRGGBB, 0xAARRGGBB or a basic name such as white", Quote(s))
	}
	c := color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
	if len(hex) == 8 {
		c.A = uint8(v >> 24)
	}
	return c, nil
}

func webColor(name string) (string, bool) {
	v, ok := map[string]string{"black": "000000", "silver": "c0c0c0", "gray": "808080", "white": "ffffff", "maroon": "800000", "red": "ff0000",
		"purple": "800080", "fuchsia": "ff00ff", "green": "008000", "lime": "00ff00", "olive": "808000", "yellow": "ffff00", "navy": "000080",
		"blue": "0000ff", "teal": "008080", "aqua": "00ffff"}[name]
	return v, ok
}
