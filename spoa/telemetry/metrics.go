package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics of an agent. No label names an application: their names hold generations and have no bound.
type Metrics struct {
	registry *prometheus.Registry
	judged   *prometheus.CounterVec
	faults   *prometheus.CounterVec
	duration prometheus.Histogram
	loads    prometheus.Histogram
	shutOut  prometheus.Counter
}

// Gauges are read when metrics are asked for.
type Gauges struct {
	InFlight, Waiting, Applications, Connections func() float64
	EventsDropped, EventsWritten                 func() float64
}

// NewMetrics registers everything.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		judged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "guard_spoa_transactions_total", Help: "Requests judged, by action.",
		}, []string{"action"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "guard_spoa_faults_total", Help: "Requests answered without a verdict, by kind of fault.",
		}, []string{"kind"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "guard_spoa_transaction_duration_seconds",
			Help:    "Time from the arrival of a request to its answer, waiting included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5},
		}),
		loads: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "guard_spoa_load_duration_seconds",
			Help:    "Time to check and compile the rules of an application.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}),
	}
	m.shutOut = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "guard_spoa_shut_out_total", Help: "Times an application was answered overload for a while because it was slow.",
	})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "guard_spoa_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.judged, m.faults, m.duration, m.loads, m.shutOut, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, kind := range []string{"unknown-application", "panic", "overload", "bad-message", "unsupported", "internal"} {
		m.faults.WithLabelValues(kind)
	}
	for _, action := range []string{"allow", "deny", "drop", "redirect"} {
		m.judged.WithLabelValues(action)
	}
	return m
}

// Register adds the gauges.
func (m *Metrics) Register(g Gauges) {
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
	gauge("guard_spoa_in_flight", "Evaluations in work.", g.InFlight)
	gauge("guard_spoa_queue", "Requests that wait for an evaluation.", g.Waiting)
	gauge("guard_spoa_applications", "Applications that serve.", g.Applications)
	gauge("guard_spoa_connections", "Open SPOP connections.", g.Connections)
	counter("guard_spoa_events_dropped_total", "Events lost because their log was too slow or failed.", g.EventsDropped)
	counter("guard_spoa_events_written_total", "Events written.", g.EventsWritten)
}

// Judged counts an evaluation.
func (m *Metrics) Judged(action, fault string, took time.Duration) {
	if fault != "" {
		m.Fault(fault)
	} else {
		m.judged.WithLabelValues(known(action)).Inc()
	}
	m.duration.Observe(took.Seconds())
}

// Fault counts an answer without a verdict.
func (m *Metrics) Fault(kind string) { m.faults.WithLabelValues(kind).Inc() }

// ShutOut counts an application that was too slow.
func (m *Metrics) ShutOut() { m.shutOut.Inc() }

// Load counts the load of an application.
func (m *Metrics) Load(took time.Duration) { m.loads.Observe(took.Seconds()) }

// Handler serves the text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// known bounds the label: an engine of the future may have further actions.
func known(action string) string {
	switch action {
	case "allow", "deny", "drop", "redirect":
		return action
	default:
		return "other"
	}
}
