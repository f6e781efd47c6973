package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/scarp-map/scarp/tiles"
)

// metrics are the numbers that /metrics shows. Labels are bounded: routes as
// registered, never paths as asked for.
type metrics struct {
	registry *prometheus.Registry
	total    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	tile     *prometheus.HistogramVec
	infer    *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scarp_http_requests_total", Help: "Requests by route, method and status (499: the client went away).",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scarp_http_request_seconds", Help: "Time to answer a request, by route.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"route"}),
		tile: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scarp_tile_seconds", Help: "Time to make or find a tile, by cache tier (memory, blob, miss).",
			Buckets: prometheus.ExponentialBuckets(0.00005, 3, 12),
		}, []string{"tier"}),
		infer: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scarp_inference_seconds", Help: "Time of one run of a network over a patch, by model.",
			Buckets: prometheus.ExponentialBuckets(0.01, 1.8, 12),
		}, []string{"model"}),
	}
	m.registry.MustRegister(m.total, m.seconds, m.tile, m.infer,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) requests(route, method string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "other"
	}
	m.total.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// observeTile counts the tiles of tile matrix sets; maps of any size would blur the figure.
func (m *metrics) observeTile(o tiles.Observation) {
	if o.Tile && o.Err == nil {
		m.tile.WithLabelValues(string(o.Tier)).Observe(o.Elapsed.Seconds())
	}
}

func (m *metrics) observeRun(model string, took time.Duration) {
	m.infer.WithLabelValues(model).Observe(took.Seconds())
}

// gauge registers a number that is read when somebody asks for it.
func (m *metrics) gauge(name, help string, labels prometheus.Labels, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, read))
}
