package quant

// PanelRows is the number of rows of a panel: a matrix lies on the device in panels, and a kernel's
// neighbouring invocations own the rows of one.
const PanelRows = 8

// UnitBytes is how many bytes of one row a kernel reads at once.
const UnitBytes = 16

// A panel is how rows lie in the panels of a format: in blocks of columns, each with that part of all rows.
type panel struct {
	blocks int // canonical blocks of every row that a block of the panel holds
	units  int // units of weights that they take
	beside int // bytes of what lies behind the weights of each row, such as scales
	// put lays one row's canonical blocks out in a cleared block of a panel.
	put func(block []byte, row int, part []byte)
}

// PanelUnits is how many units of a row's weights a block of a panel holds.
func (f *Format) PanelUnits() int { return f.panel.units }

// PanelBlocks is how many of a panel's blocks hold rows of cols weights.
func (f *Format) PanelBlocks(cols int) int {
	of := f.panel.blocks * f.Weights
	return (cols + of - 1) / of
}

// panelBlock is the size of a block of a panel.
func (f *Format) panelBlock() int { return PanelRows * (f.panel.units*UnitBytes + f.panel.beside) }

// PanelBytes is the size of a panel of rows of cols weights.
func (f *Format) PanelBytes(cols int) int { return f.PanelBlocks(cols) * f.panelBlock() }

// Pack lays canonical rows, at most PanelRows of them, out in a panel of PanelBytes: of each unit of 16
// bytes first all rows, then the next unit, and behind the units of a block what belongs to them.
// Neighbouring invocations own neighbouring rows, so what they read together lies together. A row that ends
// before the panel does, is nil or missing, is filled with zeros.
func (f *Format) Pack(panel []byte, rows [][]byte) {
	clear(panel)
	of, size := f.panel.blocks*f.Bytes, f.panelBlock()
	for r, row := range rows {
		for b := 0; b*of < len(row); b++ {
			f.panel.put(panel[b*size:(b+1)*size], r, row[b*of:min((b+1)*of, len(row))])
		}
	}
}

// interleave puts a row's units in their places.
func interleave(block []byte, row int, part []byte) {
	for u := 0; u*UnitBytes < len(part); u++ {
		copy(block[(u*PanelRows+row)*UnitBytes:][:UnitBytes], part[u*UnitBytes:])
	}
}

// floatPanel is how numbers of the given number of bytes lie: 8 units to a block, and nothing beside them.
func floatPanel(size int) panel {
	return panel{blocks: 8 * UnitBytes / size, units: 8, put: interleave}
}
