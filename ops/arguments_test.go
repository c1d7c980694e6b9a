package ops

import (
	"strings"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/shaders"
)

// arguments are the specialization constants and push constants of every shader.
var arguments = map[string][2]any{
	"attend":           {attendSpec{}, attendPush{}},
	"attend_lane":      {attendLaneSpec{}, attendLanePush{}},
	"causal":           {causalSpec{}, causalPush{}},
	"causal_join":      {nil, causalJoinPush{}},
	"causal_lanes":     {causalLanesSpec{}, causalPush{}},
	"commit":           {nil, commitPush{}},
	"conv":             {convSpec{}, convPush{}},
	"decide":           {nil, decidePush{}},
	"embed":            {weightSpec{}, embedPush{}},
	"gather":           {gatherSpec{}, gatherPush{}},
	"gemm":             {weightSpec{own: gemmSpec{}}, gemmPush{}},
	"gemm_coop":        {weightSpec{own: gemmCoopSpec{}}, gemmPush{}},
	"gemv":             {fewRowsSpec{own: weightSpec{own: finishSpec{}}}, fewRowsPush{}},
	"gemv_conv":        {fewRowsSpec{own: weightSpec{own: gemvConvSpec{}}}, fewRowsPush{told: gemvConvPush{}}},
	"gemv_note":        {fewRowsSpec{own: weightSpec{}}, fewRowsPush{told: noteTokenPush{}}},
	"groupnorm":        {groupNormSpec{}, groupNormPush{}},
	"keys":             {lanesSpec{}, keysPush{}},
	"layernorm":        {layerNormSpec{}, layerNormPush{}},
	"life":             {lifeSpec{}, lifePush{}},
	"limit_fma":        {nil, limitFMAPush{}},
	"limit_read":       {limitReadSpec{}, limitReadPush{}},
	"log":              {nil, logPush{}},
	"nll":              {nllSpec{}, nllPush{}},
	"note":             {nil, notePush{}},
	"pick":             {nil, pickPush{}},
	"recall":           {weightSpec{own: recallSpec{}}, recallPush{}},
	"rmsnorm":          {lanesSpec{}, rmsNormPush{}},
	"rotary":           {rotarySpec{}, rotaryPush{}},
	"rownorm":          {nllSpec{}, rowNormPush{}},
	"scan":             {scanSliceSpec{}, scanPush{}},
	"scan_carry":       {scanSpec{}, scanCarryPush{}},
	"scan_local":       {scanSpec{}, scanLocalPush{}},
	"segnorm":          {nil, segNormPush{}},
	"ssd_carry":        {nil, ssdPush{}},
	"ssd_decay":        {nil, ssdPush{}},
	"ssd_scan":         {ssdTileSpec{}, ssdPush{}},
	"ssd_scan_coop":    {ssdCoopSpec{}, ssdPush{}},
	"ssd_scan_lanes":   {ssdLanesSpec{}, ssdPush{}},
	"ssd_scores":       {nil, ssdPush{}},
	"ssd_scores_coop":  {coopSpec{}, ssdPush{}},
	"ssd_scores_lanes": {lanesSpec{}, ssdPush{}},
	"ssd_state":        {ssdTileSpec{}, ssdPush{}},
	"ssd_state_coop":   {ssdCoopSpec{}, ssdPush{}},
	"ssd_state_lanes":  {ssdLanesSpec{}, ssdPush{}},
	"ssd_steps":        {nil, ssdPush{}},
	"ssd_step":         {ssdStepSpec{}, ssdPush{}},
	"ssm":              {weightSpec{own: ssmSpec{}}, ssmPush{}},
	"topk":             {topKSpec{}, topKPush{}},
	"topk_pieces":      {nil, topKPiecesPush{}},
	"weigh":            {lanesSpec{}, weighPush{}},
}

// TestArguments holds the arguments of every op to what each variant of its shader has, those too that no
// device at hand takes.
func TestArguments(t *testing.T) {
	met := map[string]bool{}
	for _, variant := range shaders.Names() {
		stem, _, _ := strings.Cut(variant, ".")
		met[stem] = true
		a, ok := arguments[stem]
		if !ok {
			t.Errorf("%s has no arguments in this test", variant)
			continue
		}
		if err := graph.Check(variant, a[0], a[1]); err != nil {
			t.Error(err)
		}
	}
	for stem := range arguments {
		if !met[stem] {
			t.Errorf("there is no shader %s", stem)
		}
	}
}
