package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tenantsdb/tenantsdb/certs"
)

// newRegistry holds what is known of the process itself.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "tenantsdb_build_info",
			Help:        "The running version; the value is always 1.",
			ConstLabels: prometheus.Labels{"version": fullVersion()},
		}, func() float64 { return 1 }),
	)
	return r
}

func registerCertificate(r *prometheus.Registry, store *certs.Store) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tenantsdb_certificate_not_after_timestamp_seconds",
		Help: "When the certificate in use expires, in seconds since 1970.",
	}, func() float64 { return float64(store.NotAfter().Unix()) }))
}
