package inference_test

import (
	"context"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
)

// cloudyEngine has the tiny models and the tiny cloud network.
func cloudyEngine(t *testing.T, mode string) *inference.Engine {
	t.Helper()
	models, err := inference.LoadModels([]fs.FS{os.DirFS("testdata"), os.DirFS("testdata/clouds")}, nil)
	require.NoError(t, err)
	return newEngine(t, func(c *inference.Config) { c.Models, c.Clouds = models, mode })
}

// cloudyImage is a source that shows clouds which no classification tells:
// its bands are read from one whose landslides (bright, in the post image only) are many.
type cloudyImage struct{ *imagerytest.Source }

// Read makes the upper rows of the post image white and some of the pre image black.
func (s cloudyImage) Read(ctx context.Context, r imagery.Request) (*imagery.Window, error) {
	w, err := s.Source.Read(ctx, r)
	if err != nil {
		return nil, err
	}
	paint := func(layers [][]uint16, from, to int, dn uint16) {
		for y := max(from, r.Rect.Y); y < min(to, r.Rect.Y+r.Rect.H); y++ {
			for _, l := range layers {
				for x := range w.Width {
					l[(y-r.Rect.Y)*w.Width+x] = dn
				}
			}
		}
	}
	paint(w.Post, 0, 40, 7000)
	paint(w.Post, 40, 60, 3500)
	paint(w.Pre, 20, 80, 7000)
	paint(w.Pre, 100, 120, 100)
	return w, nil
}

func TestCloudNetworkMasksWhereNoClassificationDoes(t *testing.T) {
	want := func(y int) (uint8, bool) {
		switch {
		case y < 20:
			return inference.CloudPost, true
		case y < 60:
			return inference.CloudBoth, true
		case y < 80:
			return inference.CloudPre, true
		}
		return 0, false // shadow is kept
	}
	e := cloudyEngine(t, "")
	src := cloudyImage{imagerytest.New(300, 256)}
	src.Unclassified = true
	m := model(t, e, "tiny-bitemporal")
	b, err := e.Block(t.Context(), src, m, inference.BlockIndex{}, inference.Interactive)
	require.NoError(t, err)
	for i, v := range b.Pixels {
		code, coded := want(i / inference.BlockSize)
		if coded {
			require.Equal(t, code, v, "row %d", i/inference.BlockSize)
		} else {
			require.LessOrEqual(t, v, inference.MaxProbability, "row %d", i/inference.BlockSize)
		}
	}
	q, err := m.Quality(src)
	require.NoError(t, err)
	assert.Equal(t, []inference.CloudMask{{Date: "pre", By: "tiny-clouds"}, {Date: "post", By: "tiny-clouds"}}, q.Clouds)
	assert.Empty(t, q.String())

	// A classification counts where there is one, and then the network does not run.
	src = cloudyImage{imagerytest.New(300, 256)}
	src.PreCloud = func(_, y int) uint8 {
		if y >= 200 {
			return imagery.ThickCloud
		}
		return imagery.Clear
	}
	src.Version = "classified"
	runs := e.Stats().Runs
	b, err = e.Block(t.Context(), src, m, inference.BlockIndex{}, inference.Interactive)
	require.NoError(t, err)
	assert.LessOrEqual(t, b.Pixels[0], inference.MaxProbability)
	assert.Equal(t, inference.CloudPre, b.Pixels[200*inference.BlockSize])
	assert.LessOrEqual(t, e.Stats().Runs-runs, int64(9), "patches of the landslide network only")
}

func TestCloudModes(t *testing.T) {
	src := cloudyImage{imagerytest.New(256, 256)} // classified: clear
	src.PreCloud = func(_, y int) uint8 { return map[bool]uint8{true: imagery.ThickCloud}[y >= 200] }
	digests := map[string]bool{}
	for mode, c := range map[string]struct {
		by          string
		white, said uint8
	}{
		"auto": {"scl", 0, inference.CloudPre}, "scl": {"scl", 0, inference.CloudPre},
		"network": {"tiny-clouds", inference.CloudPost, 0}, "none": {"none", 0, 0},
	} {
		e := cloudyEngine(t, mode)
		m := model(t, e, "tiny-bitemporal")
		digests[m.Digest] = true
		b, err := e.Block(t.Context(), src, m, inference.BlockIndex{}, inference.Interactive)
		require.NoError(t, err)
		check := func(row int, want uint8) {
			if got := b.Pixels[row*inference.BlockSize]; want != 0 {
				assert.Equal(t, want, got, mode)
			} else {
				assert.LessOrEqual(t, got, inference.MaxProbability, mode)
			}
		}
		check(0, c.white)
		check(210, c.said)
		q, err := m.Quality(src)
		require.NoError(t, err)
		assert.Equal(t, c.by, q.Clouds[1].By)
		if mode == "none" {
			assert.Equal(t, "clouds=none", q.String())
		}
		assert.Len(t, e.Models(), 2, "a cloud network finds no landslides")
	}
	assert.Len(t, digests, 4, "blocks of one way to find clouds are never taken for those of another")

	e := cloudyEngine(t, "network")
	src.MissingPost = []string{"B03"}
	q, err := model(t, e, "tiny-bitemporal").Quality(src)
	require.NoError(t, err)
	assert.Equal(t, []inference.CloudMask{{Date: "pre", By: "tiny-clouds"}, {Date: "post", By: "scl"}}, q.Clouds, "it needs green")
}

func TestCloudNetworkIsRefused(t *testing.T) {
	models := tinyModels(t, nil)
	_, err := inference.NewEngine(inference.Config{Runtime: &inference.Runtime{}, Cache: newCache(t), Models: models, Clouds: "network"})
	require.ErrorContains(t, err, "no model of kind cloud")
	_, err = inference.NewEngine(inference.Config{Runtime: &inference.Runtime{}, Cache: newCache(t), Models: models, Clouds: "omni"})
	require.ErrorContains(t, err, `clouds "omni"`)
}

func TestQualityOfAnEventThatLacksBands(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(64, 64)
	src.MissingPre, src.MissingPost = []string{"B01", "B05", "B12"}, []string{"B05", "B12"}
	src.Unclassified = true
	m := *model(t, e, "tiny-bitemporal")
	q, err := m.Quality(src)
	require.NoError(t, err)
	assert.Equal(t, []string{"B01", "B05", "B12"}, q.Inputs())
	assert.Equal(t, "missing=(B01 B05 B12), clouds=none", q.String())
	assert.Nil(t, q.Cost)
	assert.Equal(t, []string{
		"the pre scenes have no bands B01, B05, B12: model tiny-bitemporal gets constants instead",
		"the post scenes have no bands B05, B12: model tiny-bitemporal gets constants instead",
		"the pre scenes have no cloud mask: clouds in them may be taken for landslides",
		"the post scenes have no cloud mask: clouds in them may be taken for landslides",
	}, q.Warnings("tiny-bitemporal"))

	for name, c := range map[string]struct {
		absences []inference.Absence
		fit      string
		f1       float64
	}{
		"exact": {[]inference.Absence{{Missing: []string{"B05", "B12"}, F1: 0.7}, {Missing: []string{"B12", "B05", "B01", "B10"}, F1: 0.6}}, "exact", 0.6},
		"more":  {[]inference.Absence{{Missing: []string{"B05", "B12"}, F1: 0.7}, {Missing: []string{"B12", "B05", "B01", "terrain"}, F1: 0.5}, {Missing: []string{"B12", "B05", "B01", "B06", "terrain"}, F1: 0.4}}, "more", 0.5},
		"less":  {[]inference.Absence{{Missing: []string{"B05"}, F1: 0.8}, {Missing: []string{"B05", "B12"}, F1: 0.7}, {F1: 0.9}}, "less", 0.7},
	} {
		m.Manifest.Provenance.Absences = append(c.absences, inference.Absence{F1: 0.82, Split: ""})
		src.ID = name // the quality of an event is remembered
		q, err := m.Quality(src)
		require.NoError(t, err)
		require.NotNil(t, q.Cost, name)
		assert.Equal(t, c.fit, q.Cost.Fit, name)
		assert.Equal(t, c.f1, q.Cost.F1, name)
	}
}
