package mapping

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
)

// Mosaic holds the predicted blocks of a plan as one picture, in a memory-mapped
// file: a granule's 120 MB stay on disk as far as memory is needed elsewhere.
// Pixels outside the area are [inference.NotPredicted].
type Mosaic struct {
	plan  *Plan
	dir   string // holds the temporary files; removed by Close
	bytes []byte // window.W × window.H, row-major
	// polys are the landslides in grid pixels, after Landslides.
	polys []orb.Polygon
}

// Plan returns what the mosaic was made for.
func (m *Mosaic) Plan() *Plan { return m.plan }

// Mosaic gets the plan's blocks (predicted already or not) and joins them.
// Temporary files are made in dir, or the system's folder for them when it is
// empty. done is called, from several goroutines, as each block arrives.
func (p *Plan) Mosaic(ctx context.Context, pred inference.Predictor, dir string, done func()) (m *Mosaic, err error) {
	if m, err = newMosaic(p, dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	// Blocks do not overlap: each goroutine writes its own bytes.
	return m, p.each(ctx, pred, p.Blocks, func(b *inference.Block) {
		m.put(b)
		done()
	})
}

func newMosaic(p *Plan, dir string) (_ *Mosaic, err error) {
	m := &Mosaic{plan: p}
	if m.dir, err = os.MkdirTemp(dir, "scarp-map-*"); err != nil {
		return nil, fmt.Errorf("make a folder for temporary files: %w", err)
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	f, err := os.Create(filepath.Join(m.dir, "mosaic"))
	if err != nil {
		return nil, fmt.Errorf("make the mosaic: %w", err)
	}
	defer f.Close()
	// Written out, not truncated to size: a full disk must be an error here, not a fault later.
	row := bytes.Repeat([]byte{inference.NotPredicted}, p.window.W)
	for range p.window.H {
		if _, err := f.Write(row); err != nil {
			return nil, fmt.Errorf("make room for the mosaic (%s pixels): %w", p.window, err)
		}
	}
	if m.bytes, err = syscall.Mmap(int(f.Fd()), 0, p.window.W*p.window.H, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map the mosaic into memory: %w", err)
	}
	return m, nil
}

// Close removes the temporary files.
func (m *Mosaic) Close() error {
	if m.bytes != nil {
		if err := syscall.Munmap(m.bytes); err != nil {
			return fmt.Errorf("unmap the mosaic: %w", err)
		}
		m.bytes = nil
	}
	return os.RemoveAll(m.dir)
}

// put copies the pixels of b that belong to the area.
func (m *Mosaic) put(b *inference.Block) {
	const n = inference.BlockSize
	x, y := b.Index.Col*n, b.Index.Row*n
	m.plan.area.each(m.plan.blockRect(b.Index), func(row, x0, x1 int) {
		copy(m.row(row)[x0-m.plan.window.X:], b.Pixels[(row-y)*n+x0-x:(row-y)*n+x1-x])
	})
}

// row returns the mosaic's bytes of a grid row; index 0 is column window.X.
func (m *Mosaic) row(y int) []byte {
	w := m.plan.window
	return m.bytes[(y-w.Y)*w.W : (y-w.Y+1)*w.W]
}

// counts says what the pixels of the area are.
type counts struct{ predicted, cloud, noData int }

func (m *Mosaic) count(r imagery.Rect) (c counts) {
	m.plan.area.each(r, func(y, x0, x1 int) {
		for _, v := range m.row(y)[x0-m.plan.window.X : x1-m.plan.window.X] {
			switch {
			case v <= inference.MaxProbability:
				c.predicted++
			case isCloud(v):
				c.cloud++
			default:
				c.noData++
			}
		}
	})
	return c
}

func isCloud(v uint8) bool { return v >= inference.CloudPre && v <= inference.CloudBoth }
