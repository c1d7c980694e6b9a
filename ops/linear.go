package ops

import "github.com/mmrun/mmrun/graph"

// Finish is what is done to W x before it is stored, in this order.
type Finish struct {
	Bias     Weight      // (M): + bias
	Softplus bool        // ln(1 + eˣ)
	GELU     bool        // or x Φ(x), with Φ the normal distribution
	Gate     Weight      // (2, M), weight then bias: · sigmoid(weight ⊙ GateBy + bias)
	GateBy   graph.Value // (T, M)
	Add      graph.Value // (T, M): + add

	// Alone has every row summed exactly as if it were the only one, whatever the number of rows: what
	// a sequence's token comes to does not depend on the sequences beside it. It suits few rows.
	Alone bool
}

// Linear returns W x for every row of x, with what Finish adds; op is its name in profiles.
// Shapes: x (T, K), w (M, K), the result (T, M); K and M are multiples of Pad.
func Linear(g *graph.Graph, op string, x graph.Value, w Weight, f Finish) graph.Value {
	y := g.Temp(x.Rows, w.Rows)
	LinearInto(g, op, y, x, Norm{}, w, f)
	return y
}

// NormLinear returns W norm(x); for one token an RMSNorm costs no pass of its own.
// Shapes: as Linear.
func NormLinear(g *graph.Graph, op string, x graph.Value, n Norm, w Weight, f Finish) graph.Value {
	y := g.Temp(x.Rows, w.Rows)
	LinearInto(g, op, y, x, n, w, f)
	return y
}

// LinearInto is NormLinear into a value at hand, under a name of its own in profiles; a Norm
// without weight is none.
func LinearInto(g *graph.Graph, op string, y, x graph.Value, n Norm, w Weight, f Finish) {
	if x.Cols != w.Cols || y.Cols != w.Rows || y.Rows != x.Rows || !y.Packed() || w.Cols%Pad != 0 {
		mismatch(g, op, x.Shape(), []int{w.Rows, w.Cols})
		return
	}
	for _, v := range []graph.Value{f.Add, f.GateBy} {
		if !v.Zero() && (v.Rows != y.Rows || v.Cols != y.Cols || !v.Packed()) {
			mismatch(g, op, v.Shape(), y.Shape())
			return
		}
	}
	one := x.Rows == 1 || f.Alone || !gemmFits(g, w, f)
	if !n.Weight.Zero() && (!one || n.apart()) {
		x, n = Normalize(g, x, n), Norm{}
	}
	if one {
		gemv(g, op, y, x, n, w, f)
		return
	}
	gemm(g, op, y, x, w, f)
}

type finishSpec struct {
	bias      bool
	act       uint32
	add, gate bool
}

func (f Finish) spec() finishSpec {
	act := flag(f.Softplus)
	if f.GELU {
		act = 2
	}
	return finishSpec{!f.Bias.Zero(), act, !f.Add.Zero(), !f.Gate.Zero()}
}

// values returns bias, add, gatex and gate, or stand for those that are left out.
func (f Finish) values(g *graph.Graph, op string, m int, stand graph.Value) (bias, add, gatex, gate graph.Value) {
	bias, gate = f.Bias.vector(g, op, m, stand), f.Gate.vector(g, op, 2*m, stand)
	add, gatex = f.Add, f.GateBy
	if add.Zero() {
		add = stand
	}
	if gatex.Zero() {
		gatex = stand
	}
	return bias, add, gatex, gate
}

// The sizes that the shaders are written for.
const (
	gemvPanels = 4 // of an invocation
	tileTokens = 8 // of an invocation of gemm
	tilePanels = 8
	tileGroup  = 8 // invocations of a workgroup along the tokens, on a GPU
)

// fetchLanes is how many invocations of a subgroup hand one another what each of them fetched; at most
// the eight of a workgroup.
func fetchLanes(g *graph.Graph) uint32 {
	if !g.Software() {
		return 1
	}
	return min(8, g.Device().Info().Subgroup)
}

func gemv(g *graph.Graph, op string, y, x graph.Value, n Norm, w Weight, f Finish) {
	bias, add, gatex, gate := f.values(g, op, w.Rows, x)
	fewRows{
		op: op, kernel: w.kernel("gemv", f.spec()),
		x: x, norm: n, w: w, store: []graph.Value{bias, add, gatex, gate, y}, cost: cost(x, w, y),
	}.call(g)
}

// fewRows is W norm(x) for few rows of x, by a kernel that includes gemv.glsl.
type fewRows struct {
	op     string
	kernel graph.Kernel // with the constants that are its own
	x      graph.Value
	norm   Norm
	w      Weight
	store  []graph.Value // bindings of the kernel's own
	told   any           // push constants of its own
	beside int           // workgroups beside those for the panels of w
	cost   graph.Cost
}

type (
	fewRowsSpec struct {
		own            any
		lanes          uint32
		norm           bool
		panels, tokens int
		weighed        bool
	}
	fewRowsPush struct {
		gemmPush
		mean, eps float64
		told      any
	}
)

func (r fewRows) call(g *graph.Graph) {
	x, n, k := r.x, r.norm, r.kernel
	norm, weighed := n.Weight.vector(g, r.op, x.Cols, x), x.Rows > 1 && !n.Weight.Zero()
	if weighed { // once for all rows of W, where every one of them would do it for every row of x
		x, norm = weigh(g, x, n)
		n.Weight = Weight{}
	}
	scale := 0.0
	if n.Width > 0 {
		scale = 1 / float64(n.Width)
	}
	tokens, panels := gemvTile(g, x.Rows)
	groups := [3]int{graph.Groups(x.Rows, tokens), graph.Groups(r.w.Rows, panels*PanelRows) + r.beside, 1}
	if tokens == 1 { // there may be more along this axis
		groups[0], groups[1] = groups[1], 1
	}
	k.Spec = fewRowsSpec{k.Spec, fetchLanes(g), !n.Weight.Zero(), panels, tokens, weighed}
	g.Call(r.op, k, append([]graph.Value{params(g), x, r.w.matrix(g, r.op), norm}, r.store...),
		fewRowsPush{productOf(r.w, x), scale, n.Eps, r.told}, groups, r.cost)
}

// gemvTile is how many tokens and panels an invocation of gemv has: as many tokens as there are, in
// powers of two. On a software device, where handing numbers round is dear, eight tokens are handed
// to twice as many panels.
func gemvTile(g *graph.Graph, rows int) (tokens, panels int) {
	for tokens = 1; tokens < min(rows, tileTokens); tokens *= 2 {
	}
	if g.Software() && tokens == tileTokens {
		return tokens, 2 * gemvPanels
	}
	return tokens, gemvPanels
}

type (
	gemmSpec struct {
		finishSpec
		lanes uint32
	}
	gemmCoopSpec struct {
		finishSpec
		coopSpec
	}
	// coopSpec is the device's cooperative matrices.
	coopSpec struct {
		m, n, k      int
		subgroupSize uint32 `glsl:"SUBGROUP_SIZE"`
	}
	gemmPush struct{ blocks, panels, width, stride, offset int }
)

func productOf(w Weight, x graph.Value) gemmPush {
	return gemmPush{w.Type.PanelBlocks(w.Cols), w.Rows / PanelRows, x.Cols / 4, x.Stride / 4, x.From / 4}
}

// gemmKernel is that of products of many tokens. What it shares in a workgroup is more than the least that Vulkan
// promises where units of a weight are large; then tokens go eight at a time, as few do.
func gemmKernel(g *graph.Graph, w Weight, f Finish) graph.Kernel {
	return w.kernel("gemm", gemmSpec{f.spec(), fetchLanes(g)})
}

// gemmFits says whether a workgroup has the memory that the kernel for many tokens shares; one for a software device
// shares none.
func gemmFits(g *graph.Graph, w Weight, f Finish) bool {
	return g.Software() || g.Access() == graph.CoopMat || g.Fits(gemmKernel(g, w, f)) == nil
}

func gemm(g *graph.Graph, op string, y, x graph.Value, w Weight, f Finish) {
	bias, add, gatex, gate := f.values(g, op, w.Rows, x)
	tokens := tileTokens
	if !g.Software() {
		tokens *= tileGroup
	}
	kernel := gemmKernel(g, w, f)
	if g.Access() == graph.CoopMat {
		kernel = w.kernel("gemm_coop", gemmCoopSpec{f.spec(), coopOf(g)})
		kernel.Plain = true
	}
	g.Call(op, kernel,
		[]graph.Value{params(g), x, w.matrix(g, op), bias, add, gatex, gate, y},
		productOf(w, x), [3]int{graph.Groups(w.Rows, tilePanels*PanelRows), graph.Groups(x.Rows, tokens), 1}, cost(x, w, y))
}

func coopOf(g *graph.Graph) coopSpec {
	info := g.Device().Info()
	return coopSpec{info.Tile[0], info.Tile[1], info.Tile[2], info.Subgroup}
}

func cost(x graph.Value, w Weight, y graph.Value) graph.Cost {
	return graph.Cost{
		Bytes: x.Bytes() + y.Bytes() + w.bytes(),
		Flops: 2 * int64(x.Rows) * int64(w.Rows) * int64(w.Cols),
	}
}
