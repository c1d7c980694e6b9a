package main

import (
	"encoding/json"
	"strings"
	"testing"

	kernels "github.com/mmrun/mmrun/ops/check"
	"github.com/mmrun/mmrun/vk"
)

// TestSelftest: one path by itself is right, and what the report of a bug needs is there.
func TestSelftest(t *testing.T) {
	var r selftestReport
	if err := json.Unmarshal([]byte(succeed(t, "selftest", "-q", "--json", "--disable", "texel,subgroup,coopmat")), &r); err != nil {
		t.Fatal(err)
	}
	if !r.OK || len(r.Kernels) < 40 || len(r.Models) != 4 || r.Version == "" || r.Device.Driver == "" || r.Device.Limits.MaxGroups[0] == 0 {
		t.Errorf("ok %v, %d kernels, %d models, version %q, device %+v", r.OK, len(r.Kernels), len(r.Models), r.Version, r.Device)
	}
	for _, k := range r.Kernels {
		if k.Path != "ssbo" || k.Wrong != "" || r.Device.Limits.TimestampPeriod > 0 && k.Micros <= 0 {
			t.Errorf("%+v", k)
		}
	}
}

// TestSelftestNames: what is wrong is named.
func TestSelftestNames(t *testing.T) {
	s := selftest{kernels: []kernels.Result{{Kernel: "gather"}, {Kernel: "scan.ssbo", Wrong: "1 is 2"}}, models: []modelResult{{Model: "tiny", Path: "ssbo", Wrong: "logits"}}}
	if got := strings.Join(s.wrong(), ", "); got != "scan.ssbo, tiny along ssbo" {
		t.Errorf("wrong are %s", got)
	}
	for _, test := range []struct {
		paths []vk.Path
		want  string
	}{{nil, "ssbo"}, {vk.Paths, "texel coopmat subgroup ssbo"}, {[]vk.Path{vk.SubgroupPath}, "subgroup ssbo"}} {
		names, off := ways(vk.Info{Paths: test.paths})
		if strings.Join(names, " ") != test.want || len(off) != len(names) {
			t.Errorf("ways of %v: %v", test.paths, names)
		}
	}
}
