package sample

import "math"

// expSteps is the number of table entries per power of two.
const expSteps = 64

// powers[i] is 2^(i/expSteps).
var powers [expSteps]float64

func init() {
	for i := range powers {
		powers[i] = math.Exp2(float64(i) / expSteps)
	}
}

// exp returns e^x for x ≤ 0 within 1e-12 of its value, 0 below e^-700, and exactly 1 for 0. A
// softmax over a vocabulary takes as long as its exponentials, and math.Exp several times as long.
func exp(x float64) float64 {
	const step = math.Ln2 / expSteps
	if x < -700 {
		return 0
	}
	n := int(x/step - 0.5) // the nearest step: conversion cuts towards 0
	r := x - float64(n)*step
	y := powers[n&(expSteps-1)] * (1 + r*(1+r*(1./2+r*(1./6+r*(1./24)))))
	return math.Float64frombits(math.Float64bits(y) + uint64(n>>6)<<52)
}
