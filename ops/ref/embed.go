package ref

// Embed returns table[ids[t]] for every token, the input of the first layer (arXiv 2312.00752,
// section 3.4, leaves the token embedding to the architecture; it is a plain lookup).
// Shapes: table is (vocab, d), ids (T), the result (T, d).
func Embed(table []float32, ids []int32, d int) []float32 {
	var out []float32
	for _, id := range ids {
		out = append(out, table[int(id)*d:(int(id)+1)*d]...)
	}
	return out
}
