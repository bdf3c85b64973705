package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger"
)

// LedgerCollector is a prometheus.Collector of what a ledger holds.
type LedgerCollector struct {
	status     func() ledger.Status
	identities *prometheus.Desc
	behind     *prometheus.Desc
	size       *prometheus.Desc
}

// NewLedgerCollector returns a LedgerCollector that asks status at each
// collection, from any goroutine.
func NewLedgerCollector(status func() ledger.Status) *LedgerCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, nil, nil)
	}
	return &LedgerCollector{
		status:     status,
		identities: desc("ledger_identities", "Rooms remembered to know duplicates by."),
		behind:     desc("journal_behind", "Whether rooms are counted that the disk does not hold, because it fails."),
		size:       desc("journal_size_bytes", "Size of all files in the storage directory; 0 when counted in memory only."),
	}
}

// Describe implements prometheus.Collector.
func (c *LedgerCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.identities
	descs <- c.behind
	descs <- c.size
}

// Collect implements prometheus.Collector.
func (c *LedgerCollector) Collect(metrics chan<- prometheus.Metric) {
	status := c.status()
	behind := 0.0
	if status.Behind {
		behind = 1
	}
	metrics <- prometheus.MustNewConstMetric(c.identities, prometheus.GaugeValue, float64(status.Identities))
	metrics <- prometheus.MustNewConstMetric(c.behind, prometheus.GaugeValue, behind)
	metrics <- prometheus.MustNewConstMetric(c.size, prometheus.GaugeValue, float64(status.StorageBytes))
}
