package simulate

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// npy writes an array in NumPy's format 1.0 (little-endian, C order) from beginning to end, so that it never has to
// be in memory as a whole. Its shape must be known beforehand.
type npy struct {
	name string
	file *os.File
	buf  *bufio.Writer
	raw  []byte
	left int64 // bytes still to write
}

// createNPY starts a file for the given element type ("u1", "u2" or "f4") and shape.
func createNPY(name, kind string, shape ...int) (*npy, error) {
	dims, size := make([]string, len(shape)), int64(kind[1]-'0')
	for i, n := range shape {
		dims[i] = fmt.Sprint(n)
		size *= int64(n)
	}
	order := "<"
	if kind == "u1" {
		order = "|"
	}
	header := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s,), }", order, kind, strings.Join(dims, ", "))
	// Magic, version, length and header together fill a multiple of 64 bytes; a newline ends them.
	pad := 63 - (10+len(header))%64
	header += strings.Repeat(" ", pad) + "\n"
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create array: %w", err)
	}
	a := &npy{name: name, file: f, buf: bufio.NewWriterSize(f, 1<<20), left: size}
	prefix := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	if _, err := io.WriteString(a.buf, string(prefix)+header); err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return a, nil
}

func (a *npy) uint8s(v []uint8) error {
	a.left -= int64(len(v))
	if _, err := a.buf.Write(v); err != nil {
		return fmt.Errorf("write %s: %w", a.name, err)
	}
	return nil
}

func (a *npy) uint16s(v []uint16) error {
	a.raw = a.raw[:0]
	for _, n := range v {
		a.raw = binary.LittleEndian.AppendUint16(a.raw, n)
	}
	return a.uint8s(a.raw)
}

func (a *npy) float32s(v []float32) error {
	a.raw = a.raw[:0]
	for _, n := range v {
		a.raw = binary.LittleEndian.AppendUint32(a.raw, math.Float32bits(n))
	}
	return a.uint8s(a.raw)
}

// close finishes the file; an array with more or fewer values than its shape is an error.
func (a *npy) close() error {
	err := a.buf.Flush()
	if cerr := a.file.Close(); err == nil {
		err = cerr
	}
	if err == nil && a.left != 0 {
		err = fmt.Errorf("%d bytes are missing", a.left)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", a.name, err)
	}
	return nil
}
