// Package serve keeps stream graphs running for months: [Serve] runs each graph,
// starts its pipeline again after a failure, takes a changed graph over once it is
// found sound, drains all when asked to end, and tells over HTTP how they stand.
//
//	/healthz  200, or 503 with a line for each graph that is down or stuck
//	/readyz   200, or 503 with a line for each graph that does not take events now
//	/metrics  figures for Prometheus
//
// A process that is killed is for a service manager to start again. Nothing is lost
// by it: see package data/nats.
package serve
