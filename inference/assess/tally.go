package assess

import "math"

// Steps is the number of steps that probabilities are counted in: 1/250, as blocks have them.
const Steps = 250

// Scores are those of the class landslide over all pixels together. A ratio without pixels is 0.
type Scores struct {
	Threshold     float64 `json:"threshold"`
	Precision     float64 `json:"precision"`
	Recall        float64 `json:"recall"`
	F1            float64 `json:"f1"`
	IoU           float64 `json:"iou"`
	TruePositive  int64   `json:"true_positive"`
	FalsePositive int64   `json:"false_positive"`
	FalseNegative int64   `json:"false_negative"`
	TrueNegative  int64   `json:"true_negative"`
}

// Bin is a range of probabilities of the reliability plot.
type Bin struct {
	From   float64 `json:"from"`
	To     float64 `json:"to"`
	Pixels int64   `json:"pixels"`
	Mean   float64 `json:"mean_probability"`
	Share  float64 `json:"landslide_share"`
}

// Tally counts pixels by probability and truth.
type Tally struct {
	positive, negative [Steps + 1]int64
}

// Step returns the step that counts a probability; what lies outside 0 to 1 is brought to its end.
func Step(p float64) int {
	if !(p > 0) {
		return 0
	}
	return int(math.Round(min(p, 1) * Steps))
}

// Above returns the least step that a threshold lets through.
func Above(threshold float64) int {
	return int(min(max(math.Ceil(threshold*Steps-1e-9), 0), Steps+1))
}

// Add counts one pixel.
func (t *Tally) Add(step int, truth bool) {
	if truth {
		t.positive[step]++
	} else {
		t.negative[step]++
	}
}

// Pixels returns how many were counted.
func (t *Tally) Pixels() (n int64) {
	for i := range t.positive {
		n += t.positive[i] + t.negative[i]
	}
	return n
}

// At scores the mask of pixels at or above a threshold.
func (t *Tally) At(threshold float64) Scores {
	s := Scores{Threshold: threshold}
	for i := range t.positive {
		if i >= Above(threshold) {
			s.TruePositive += t.positive[i]
			s.FalsePositive += t.negative[i]
		} else {
			s.FalseNegative += t.positive[i]
			s.TrueNegative += t.negative[i]
		}
	}
	tp, fp, fn := float64(s.TruePositive), float64(s.FalsePositive), float64(s.FalseNegative)
	s.Precision, s.Recall = ratio(tp, tp+fp), ratio(tp, tp+fn)
	s.F1, s.IoU = ratio(2*tp, 2*tp+fp+fn), ratio(tp, tp+fp+fn)
	return s
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Curve scores the thresholds 0.02, 0.04 … 0.98.
func (t *Tally) Curve() []Scores {
	var curve []Scores
	for i := 1; i < 50; i++ {
		curve = append(curve, t.At(float64(i)/50))
	}
	return curve
}

// Calibration returns the reliability plot in ten bins of equal width, those
// without pixels left out, and the expected calibration error: the mean over
// pixels of |mean probability − share of landslides| of their bin.
func (t *Tally) Calibration() (bins []Bin, ece float64) {
	const n = 10
	total := float64(max(t.Pixels(), 1))
	for b := range n {
		bin := Bin{From: float64(b) / n, To: float64(b+1) / n}
		sum, positive := 0.0, int64(0)
		for i := range t.positive {
			if min(i*n/Steps, n-1) != b { // the last bin holds 1
				continue
			}
			pixels := t.positive[i] + t.negative[i]
			bin.Pixels += pixels
			positive += t.positive[i]
			sum += float64(pixels) * float64(i) / Steps
		}
		if bin.Pixels == 0 {
			continue
		}
		bin.Mean, bin.Share = sum/float64(bin.Pixels), float64(positive)/float64(bin.Pixels)
		ece += math.Abs(bin.Mean-bin.Share) * float64(bin.Pixels) / total
		bins = append(bins, bin)
	}
	return bins, ece
}
