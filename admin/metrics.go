package admin

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics counts requests by route template, so that a client can't make new
// label values.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// newMetrics registers on r; a nil r keeps them unseen.
func newMetrics(r prometheus.Registerer) *metrics {
	factory := promauto.With(r)
	return &metrics{
		requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantsdb_admin_requests_total",
			Help: "Requests to the admin API by route, method and HTTP status.",
		}, []string{"route", "method", "status"}),
		duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tenantsdb_admin_request_duration_seconds",
			Help:    "Time to answer a request to the admin API by route and method.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 30},
		}, []string{"route", "method"}),
	}
}

func (m *metrics) count(x *exchange, took time.Duration) {
	path, method := x.route.path, x.route.method
	if path == "" {
		path, method = "none", "none"
	}
	m.requests.WithLabelValues(path, method, strconv.Itoa(x.status)).Inc()
	m.duration.WithLabelValues(path, method).Observe(took.Seconds())
}
