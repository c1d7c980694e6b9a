package plot

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// render draws panels and reads the picture back. PLOT_DIR keeps it for people to look at.
func render(t *testing.T, panels ...Panel) image.Image {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, panels...); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("PLOT_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, t.Name()+".png"), out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	picture, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// count is how many pixels of a picture have exactly a colour.
func count(picture image.Image, c color.Color) int {
	r, g, b, _ := c.RGBA()
	n := 0
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if pr, pg, pb, _ := picture.At(x, y).RGBA(); pr == r && pg == g && pb == b {
				n++
			}
		}
	}
	return n
}

func TestHeatMap(t *testing.T) {
	picture := render(t, HeatMap{
		Title: "Passkeys found", X: "context length (tokens)", Y: "depth of the key",
		Columns: []string{Short(1000), Short(2000), Short(4000), Short(400000)}, Rows: []string{"10%", "50%", "90%"},
		Values: [][]float64{{1, 0.5, 0.25, 0}, {1, 1, 0.9, math.NaN()}, {1, 1, 1, 0.75}},
		High:   1, Scale: "accuracy", Label: Percent, Write: true,
	})
	full, empty := count(picture, colorOf(1)), count(picture, colorOf(0))
	if full < 4*empty { // six cells and one
		t.Errorf("%d pixels of the highest colour, %d of the lowest", full, empty)
	}
	if half := count(picture, colorOf(0.5)); half < 1000 {
		t.Errorf("%d pixels of a half", half)
	}
}

func TestLines(t *testing.T) {
	var x, slow, fast, low, high []float64
	for k := 1.0; k <= 4096; k *= 2 {
		x = append(x, k)
		slow = append(slow, 0.3+0.7*math.Exp(-k/300))
		fast = append(fast, math.Exp(-k/30))
		low, high = append(low, 0.25+0.7*math.Exp(-k/300)), append(high, 0.35+0.7*math.Exp(-k/300))
	}
	picture := render(t,
		Lines{Title: "What is left of a token", X: "distance k (tokens)", Y: "ETMF", LogX: true, High: 1,
			Curves: []Curve{{Name: "MemMamba", X: x, Y: slow, Low: low, High: high, Dots: true}, {Name: "Mamba's state", X: x, Y: fast, Dashed: true}}},
		Lines{Title: "Decades", X: "x (m)", Y: "y (s)", LogY: true, Low: 1e-4, High: 1, Curves: []Curve{{Name: "one", X: []float64{0, 1}, Y: []float64{1, 1e-4}}}},
		Lines{Title: "Names that end at one place", X: "x (m)", Y: "y (s)", Curves: []Curve{{Name: "one", X: []float64{0, 1}, Y: []float64{0, 1}}, {Name: "two", X: []float64{0, 1}, Y: []float64{1, 1}}}})
	for i := range 2 {
		if n := count(picture, curveColors[i]); n < 500 {
			t.Errorf("%d pixels of curve %d", n, i)
		}
	}
	if b := picture.Bounds(); b.Dx() != 1280 || b.Dy() != 2400 {
		t.Errorf("%d × %d pixels", b.Dx(), b.Dy())
	}
}

// TestGridFitsAScreen: four panels are no larger than the usual screen, and every one is drawn.
func TestGridFitsAScreen(t *testing.T) {
	var g Grid
	for i := range 4 {
		var curves []Curve
		for range i + 1 {
			curves = append(curves, Curve{Name: "one", X: []float64{1, 10}, Y: []float64{1, 3}})
		}
		g = append(g, Lines{Title: "Time", X: "x (m)", Y: "y (s)", LogX: true, Curves: curves})
	}
	picture := render(t, g)
	if b := picture.Bounds(); b.Dx() > 1920 || b.Dy() > 1080 {
		t.Errorf("%d × %d pixels", b.Dx(), b.Dy())
	}
	for i := range 4 {
		if n := count(picture, curveColors[i]); n < 300 {
			t.Errorf("%d pixels of curve %d", n, i)
		}
	}
}

// TestCurvesOnEachOther: of curves at the same places each is seen.
func TestCurvesOnEachOther(t *testing.T) {
	curve := Curve{Name: "same", X: []float64{0, 1, 2, 3}, Y: []float64{1, 2, 1, 2}, Dots: true}
	picture := render(t, Lines{Title: "The same", X: "x (m)", Y: "y (s)", Curves: []Curve{curve, curve, curve}})
	for i := range 3 {
		if n := count(picture, curveColors[i]); n < 700 {
			t.Errorf("%d pixels of curve %d", n, i)
		}
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	for _, p := range []Panel{
		HeatMap{Columns: []string{"a"}, Rows: []string{"b"}, Values: [][]float64{{1}}},
		HeatMap{Columns: []string{"a"}, Rows: []string{"b"}, Values: [][]float64{{1, 2}}, High: 1},
		HeatMap{Columns: []string{"a"}, Rows: []string{"b"}, High: 1},
		Lines{Curves: []Curve{{X: []float64{1}, Y: []float64{1, 2}}}},
		Lines{Curves: []Curve{{X: []float64{1}, Y: []float64{1}, Low: []float64{1, 2}}}},
	} {
		if err := Write(&bytes.Buffer{}, p); err == nil {
			t.Errorf("%+v was drawn", p)
		}
	}
}

func TestShort(t *testing.T) {
	for n, want := range map[int]string{97: "97", 1000: "1k", 1500: "1.5k", 1024: "1024", 400000: "400k", 1000000: "1M", 2500000: "2.5M"} {
		if got := Short(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
