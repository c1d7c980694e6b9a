package refmodel

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
)

// Heads is what the config.json of a Mamba-2 mixer (arXiv 2405.21060) says beyond Config.
type Heads struct {
	Heads      int   `json:"num_heads"`       // H; H·p is E
	HeadDim    int   `json:"head_dim"`        // p
	Groups     int   `json:"n_groups"`        // G, of heads that share B and C
	NormGroups int   `json:"norm_groups"`     // of channels that are normed together, default G
	Norm       bool  `json:"rms_norm"`        // norms what was gated
	Limit      Limit `json:"time_step_limit"` // of Δ
}

// Limit is the least and the largest Δ.
type Limit [2]float64

// MarshalJSON writes infinity as newer files of Hugging Face's do.
func (l Limit) MarshalJSON() ([]byte, error) {
	var ends [2]any
	for i, v := range l {
		ends[i] = v
		if math.IsInf(v, 1) {
			ends[i] = map[string]string{"__float__": "Infinity"}
		}
	}
	return json.Marshal(ends)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Limit) UnmarshalJSON(data []byte) error {
	var ends [2]json.RawMessage
	if err := json.Unmarshal(data, &ends); err != nil {
		return err
	}
	for i, end := range ends {
		var float struct {
			Text string `json:"__float__"`
		}
		if json.Unmarshal(end, &float) == nil && float.Text == "Infinity" {
			l[i] = math.Inf(1)
		} else if err := json.Unmarshal(end, &l[i]); err != nil {
			return err
		}
	}
	return nil
}

// withHeads returns c with Mamba-2's defaults of the keys that Mamba does not have.
func (c Config) withHeads() Config {
	c.Heads = &Heads{Heads: 128, HeadDim: 64, Groups: 8, Norm: true, Limit: Limit{0, math.Inf(1)}}
	return c
}

// completeHeads is complete for what Mamba-2 has.
func (c Config) completeHeads() (Config, error) {
	if (c.Heads != nil) != (c.mixer() == Mamba2) {
		return c, fmt.Errorf("mixer %q and keys of heads do not go together", c.mixer())
	}
	if c.Heads == nil {
		return c, nil
	}
	h := *c.Heads
	if h.NormGroups == 0 {
		h.NormGroups = h.Groups
	}
	c.Heads = &h
	for key, n := range map[string]int{"num_heads": h.Heads, "head_dim": h.HeadDim, "n_groups": h.Groups, "norm_groups": h.NormGroups} {
		if n < 1 {
			return c, fmt.Errorf("%s is %d", key, n)
		}
	}
	switch {
	case h.Heads*h.HeadDim != c.Inner:
		return c, fmt.Errorf("num_heads %d of head_dim %d are not an inner size of %d", h.Heads, h.HeadDim, c.Inner)
	case h.Heads%h.Groups != 0:
		return c, fmt.Errorf("num_heads %d are not divided by n_groups %d", h.Heads, h.Groups)
	case c.Inner%h.NormGroups != 0:
		return c, fmt.Errorf("an inner size of %d is not divided by norm_groups %d", c.Inner, h.NormGroups)
	}
	return c, nil
}

// heads reads the norm and the mixer of a Mamba-2 layer.
func (r *reader) heads(c Config, at string) layer {
	d, E, H, wide := c.Hidden, c.Inner, c.Heads.Heads, c.convolved()
	w := layer{
		norm:   r.vector(at+"norm.weight", d),
		inProj: r.matrix(at+"mixer.in_proj.weight", E+wide+H, d),
		conv:   matrix{wide, c.Kernel, r.tensor(at+"mixer.conv1d.weight", wide, 1, c.Kernel)},
		dtBias: r.vector(at+"mixer.dt_bias", H),
		aLog:   matrix{H, 1, r.vector(at+"mixer.A_log", H)},
		d:      r.vector(at+"mixer.D", H),
		out:    r.matrix(at+"mixer.out_proj.weight", d, E),
	}
	if c.Norm {
		w.gateNorm = r.vector(at+"mixer.norm.weight", E)
	}
	if c.Bias {
		w.inBias = r.vector(at+"mixer.in_proj.bias", E+wide+H)
		w.outBias = r.vector(at+"mixer.out_proj.bias", d)
	}
	if c.ConvBias {
		w.convBias = r.vector(at+"mixer.conv1d.bias", wide)
	}
	return w
}

// ssd is Mamba-2's block (arXiv 2405.21060, section 7 and figure 6) on one token, as a recurrence.
func (s *State) ssd(l int, x []float64) []float64 {
	c, w, st := s.model.Config, &s.model.layers[l], &s.layers[l]
	E, N, H, p, G := c.Inner, c.State, c.Heads.Heads, c.HeadDim, c.Groups

	in := w.inProj.mul(x, w.inBias)
	z, xBC, dt := in[:E], in[E:E+c.convolved()], in[E+c.convolved():]
	w.convolve(st, xBC)
	y := make([]float64, E)
	for j := range H {
		step := min(max(softplus(dt[j]+w.dtBias[j]), c.Limit[0]), c.Limit[1])
		decay := math.Exp(-step * math.Exp(w.aLog.w[j]))
		B := xBC[E+j/(H/G)*N:][:N]
		C := xBC[E+(G+j/(H/G))*N:][:N]
		for e := j * p; e < (j+1)*p; e++ {
			h := st.h[e*N : (e+1)*N]
			for n := range h {
				h[n] = decay*h[n] + step*xBC[e]*B[n]
			}
			y[e] = (dot(h, C) + w.d[j]*xBC[e]) * silu(z[e])
		}
	}
	if c.Norm {
		for from := 0; from < E; from += E / c.NormGroups {
			group := y[from : from+E/c.NormGroups]
			copy(group, rmsNorm(group, w.gateNorm[from:], c.Epsilon))
		}
	}
	return w.out.mul(y, w.outBias)
}

func randomHeads(c Config, at string, add adder) {
	d, E, H, wide := c.Hidden, c.Inner, c.Heads.Heads, c.convolved()
	add(at+"in_proj.weight", normal(0, fan(d, 1)), E+wide+H, d)
	add(at+"conv1d.weight", normal(0, fan(c.Kernel, 1.5)), wide, 1, c.Kernel)
	add(at+"dt_bias", timeStep, H)
	// As Mamba-2 is initialised: A from -1 to -16.
	add(at+"A_log", func(rng *rand.Rand, _ int) float64 { return math.Log(1 + 15*rng.Float64()) }, H)
	add(at+"D", normal(1, 0.1), H)
	gain := 4.0 // as in Mamba's block
	if c.Norm {
		add(at+"norm.weight", normal(1, 0.1), E)
		gain = 1
	}
	add(at+"out_proj.weight", normal(0, fan(E, gain)*fan(d, 1)), d, E)
	if c.Bias {
		add(at+"in_proj.bias", normal(0, 0.1), E+wide+H)
		add(at+"out_proj.bias", normal(0, fan(d, 0.1)), d)
	}
	if c.ConvBias {
		add(at+"conv1d.bias", normal(0, 0.1), wide)
	}
}
