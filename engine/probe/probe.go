// Package probe looks inside a model that runs: where the device's time goes, what the device could do at the
// best, and what every layer works with.
package probe
