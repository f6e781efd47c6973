package tiles

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// pngEncoder writes PNG (W3C, third edition) in the form that is smallest for
// the picture: palette indices of 1, 2, 4 or 8 bits where there are at most 256
// colours, else RGB, or RGBA where something is transparent. It is here because
// the standard library's encoder is bound to the standard library's compressor,
// which takes most of the time that a tile of imagery takes.
type pngEncoder struct {
	writers [pngPalettedLevel + 1]sync.Pool // compressors by level
}

// EncodePNG writes a picture as PNG, with a palette where it has few colours.
func EncodePNG(img *image.NRGBA) ([]byte, error) {
	var e pngEncoder
	return e.picture(img)
}

// Chunks' names and header values.
const (
	pngSignature = "\x89PNG\r\n\x1a\n"
	pngPaletted  = 3
	pngRGB       = 2
	pngRGBA      = 6
	filterPaeth  = 4
)

// Levels of compression. After the filter there is next to nothing in imagery
// that repeats: coding bytes by how often they occur makes it 10 % larger than
// level 1 does, in a third of the time. Holes repeat, and so do indices.
const (
	pngOpaqueLevel   = zlib.HuffmanOnly
	pngHolesLevel    = 1
	pngPalettedLevel = 2
)

// paletted encodes indices into a palette of at most 256 colours.
func (e *pngEncoder) paletted(pix []uint8, width, height int, palette []color.NRGBA) ([]byte, error) {
	bits := 8
	switch {
	case len(palette) <= 2:
		bits = 1
	case len(palette) <= 4:
		bits = 2
	case len(palette) <= 16:
		bits = 4
	}
	colors, alphas := make([]byte, 0, 3*len(palette)), make([]byte, 0, len(palette))
	last := 0 // what stands behind it is opaque
	for i, c := range palette {
		colors, alphas = append(colors, c.R, c.G, c.B), append(alphas, c.A)
		if c.A != 255 {
			last = i + 1
		}
	}
	out := newPNG(width, height, bits, pngPaletted)
	out.chunk("PLTE", colors)
	if last > 0 {
		out.chunk("tRNS", alphas[:last])
	}
	stride := (width*bits + 7) / 8
	raw := make([]byte, (1+stride)*height)
	for y := range height {
		row, from := raw[y*(1+stride)+1:][:stride], pix[y*width:][:width]
		if bits == 8 {
			copy(row, from)
			continue
		}
		for x, v := range from {
			row[x*bits/8] |= v << (8 - bits - x*bits%8)
		}
	}
	return e.finish(out, raw, pngPalettedLevel)
}

// picture encodes a picture in colour.
func (e *pngEncoder) picture(img *image.NRGBA) ([]byte, error) {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	if pix, palette, ok := fewColors(img); ok {
		return e.paletted(pix, width, height, palette)
	}
	kind, size, level := pngRGB, 3, pngOpaqueLevel
	for i := 3; i < len(img.Pix); i += 4 {
		if img.Pix[i] != 255 {
			kind, size, level = pngRGBA, 4, pngHolesLevel
			break
		}
	}
	stride := width * size
	raw := make([]byte, (1+stride)*height)
	rows := [2][]byte{make([]byte, stride+size), make([]byte, stride+size)} // behind a pixel of zeros
	for y := range height {
		now, above := rows[y&1][size:], rows[1-y&1]
		from := img.Pix[y*img.Stride:][:4*width]
		if size == 4 {
			copy(now, from)
		} else {
			for x, o := 0, 0; x < len(from); x, o = x+4, o+3 {
				now[o], now[o+1], now[o+2] = from[x], from[x+1], from[x+2]
			}
		}
		to := raw[y*(1+stride):][:1+stride]
		to[0] = filterPaeth
		paeth(to[1:], rows[y&1], above, size)
	}
	return e.finish(newPNG(width, height, 8, kind), raw, level)
}

// paeth writes what is left of a row when each byte is foretold from those to
// its left, above, and above to the left; rows begin with a pixel of zeros.
func paeth(to, row, above []byte, size int) {
	row, above = row[:len(to)+size], above[:len(to)+size]
	for i := range to {
		a, b, c := int(row[i]), int(above[i+size]), int(above[i])
		pa, pb := b-c, a-c
		pc := pa + pb
		pa, pb, pc = max(pa, -pa), max(pb, -pb), max(pc, -pc)
		p := c
		if pa <= pb && pa <= pc {
			p = a
		} else if pb <= pc {
			p = b
		}
		to[i] = row[i+size] - byte(p)
	}
}

// fewColors finds the palette of a picture; not ok where that has more than 256 colours.
func fewColors(img *image.NRGBA) (pix []uint8, palette []color.NRGBA, ok bool) {
	// A small table without chains: imagery fills it within its first row.
	const size = 1024
	var keys [size]uint32
	var index [size]int16
	slots := 0
	pix = make([]uint8, len(img.Pix)/4)
	var last uint32
	var at uint8
	for i := range pix {
		p := img.Pix[4*i : 4*i+4 : 4*i+4]
		key := binary.LittleEndian.Uint32(p)
		if p[3] == 0 {
			key = 0 // what can't be seen is all the same
		}
		if i > 0 && key == last {
			pix[i] = at
			continue
		}
		h := key * 2654435761 >> 22
		for index[h] != 0 && keys[h] != key {
			h = (h + 1) % size
		}
		if index[h] == 0 {
			if slots == 256 {
				return nil, nil, false
			}
			slots++
			keys[h], index[h] = key, int16(slots)
			c := color.NRGBA{}
			if p[3] != 0 {
				c = color.NRGBA{R: p[0], G: p[1], B: p[2], A: p[3]}
			}
			palette = append(palette, c)
		}
		last, at = key, uint8(index[h]-1)
		pix[i] = at
	}
	return pix, palette, true
}

// pngFile is a file that is being written.
type pngFile struct{ bytes.Buffer }

func newPNG(width, height, bits, kind int) *pngFile {
	f := &pngFile{}
	f.Grow(4096 + width*height/2)
	f.WriteString(pngSignature)
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	f.chunk("IHDR", append(header, byte(bits), byte(kind), 0, 0, 0))
	return f
}

// chunk writes length, name, data and checksum.
func (f *pngFile) chunk(name string, data []byte) {
	start := f.begin(name)
	f.Write(data)
	f.end(start)
}

// begin writes a chunk's head, whose length end fills in.
func (f *pngFile) begin(name string) (start int) {
	start = f.Len()
	f.WriteString("\x00\x00\x00\x00")
	f.WriteString(name)
	return start
}

func (f *pngFile) end(start int) {
	b := f.Bytes()[start:]
	binary.BigEndian.PutUint32(b, uint32(len(b)-8))
	sum := crc32.ChecksumIEEE(b[4:])
	f.Write(binary.BigEndian.AppendUint32(nil, sum))
}

// finish compresses rows, each behind its filter, and ends the file.
func (e *pngEncoder) finish(f *pngFile, raw []byte, level int) ([]byte, error) {
	start := f.begin("IDAT")
	pool := &e.writers[max(level, 0)]
	w, _ := pool.Get().(*zlib.Writer)
	if w != nil {
		w.Reset(f)
	} else {
		var err error
		if w, err = zlib.NewWriterLevel(f, level); err != nil {
			return nil, fmt.Errorf("encode PNG: %w", err)
		}
	}
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("encode PNG: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode PNG: %w", err)
	}
	pool.Put(w)
	f.end(start)
	f.chunk("IEND", nil)
	return f.Bytes(), nil
}
