package proxy

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/tenantsdb/tenantsdb/protocols"
)

// Metrics counts what the proxy does, by protocol.
type Metrics struct {
	accepts  *prometheus.CounterVec
	failures *prometheus.CounterVec
	refusals *prometheus.CounterVec
	sessions *prometheus.CounterVec
	open     *prometheus.GaugeVec
	bytes    *prometheus.CounterVec
}

// NewMetrics registers the proxy's metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	byProtocol := []string{"protocol"}
	m := &Metrics{
		accepts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantsdb_connections_accepted_total", Help: "Connections accepted."}, byProtocol),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantsdb_connections_failed_total", Help: "Connections that did not become sessions, by kind: accept, crowded, handshake, connect, panic."}, []string{"protocol", "kind"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantsdb_sessions_refused_total", Help: "Authenticated sessions refused, by reason."}, []string{"protocol", "reason"}),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantsdb_sessions_total", Help: "Sessions started."}, byProtocol),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tenantsdb_sessions_open", Help: "Sessions open now."}, byProtocol),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantsdb_relayed_bytes_total", Help: "Bytes relayed by ended sessions, by direction: in (from clients), out."}, []string{"protocol", "direction"}),
	}
	registerer.MustRegister(m.accepts, m.failures, m.refusals, m.sessions, m.open, m.bytes)
	return m
}

func (m *Metrics) accepted(protocol string)     { m.accepts.WithLabelValues(protocol).Inc() }
func (m *Metrics) failed(protocol, kind string) { m.failures.WithLabelValues(protocol, kind).Inc() }

func (m *Metrics) refused(protocol string, reason protocols.Reason) {
	m.refusals.WithLabelValues(protocol, reason.String()).Inc()
}

func (m *Metrics) started(protocol string) {
	m.sessions.WithLabelValues(protocol).Inc()
	m.open.WithLabelValues(protocol).Inc()
}

func (m *Metrics) ended(protocol string, in, out int64) {
	m.open.WithLabelValues(protocol).Dec()
	m.bytes.WithLabelValues(protocol, "in").Add(float64(in))
	m.bytes.WithLabelValues(protocol, "out").Add(float64(out))
}
