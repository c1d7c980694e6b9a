package grammar

// arrayOf is the arrays that meet all schemas.
func (m *maker) arrayOf(flat []*value) (*expr, error) {
	first, least, most := arrayBounds(flat)
	if most != unlimited && least > most {
		return alt(), nil
	}
	links := []link{{0, 2, text("[")}}
	for i := range first {
		if i >= least {
			links = append(links, link{i + 2, 1, m.closing("]")})
		}
		if most != unlimited && i >= most {
			return graph(links), nil
		}
		item, err := m.item(flat, i)
		if err != nil {
			return nil, err
		}
		links = append(links, link{i + 2, i + 3, seq(m.comma(i > 0), item)})
	}
	item, err := m.item(flat, first)
	if err != nil {
		return nil, err
	}
	if most != unlimited {
		most -= first
	}
	links = append(links, link{first + 2, 1, seq(m.row(item, max(least-first, 0), most, first > 0), m.closing("]"))})
	return graph(links), nil
}

// arrayBounds are how many items have a schema by their place, and how many there are at least and at the most.
func arrayBounds(flat []*value) (first, least, most int) {
	least, most = bounds(flat, "minItems", "maxItems")
	open := true
	for _, schema := range flat {
		prefix, rest := itemSchemas(schema)
		first = max(first, len(prefix))
		open = open && (len(prefix) == 0 || rest != nil)
	}
	if _, told := count(flat, "minItems"); !told {
		least = first
		if most != unlimited {
			least = min(first, most)
		}
	}
	if !open && least <= first && (most == unlimited || most > first) {
		most = first // nothing asks for more
	}
	return first, least, most
}

// comma is what stands before an item.
func (m *maker) comma(another bool) *expr {
	if another {
		return seq(text(","), m.space())
	}
	return m.space()
}

// closing is the end of an array or an object.
func (m *maker) closing(bracket string) *expr { return seq(m.space(), text(bracket)) }

// row is from least to most items; with more they come after others.
func (m *maker) row(item *expr, least, most int, more bool) *expr {
	next := seq(m.comma(true), item)
	if more {
		return repeat(next, least, most)
	}
	if most == 0 {
		return seq()
	}
	if most != unlimited {
		most--
	}
	some := seq(m.comma(false), item, repeat(next, max(least-1, 0), most))
	if least == 0 {
		return optional(some)
	}
	return some
}

// itemSchemas are the schemas of an array's first items, and of the rest; nil where a schema says nothing of them.
func itemSchemas(schema *value) (prefix []*value, rest *value) {
	items := schema.get("items")
	switch {
	case items != nil && items.kind == kindArray: // up to draft 2019-09
		return items.items, schema.get("additionalItems")
	case schema.get("prefixItems") != nil:
		return schema.get("prefixItems").items, items
	}
	return nil, items
}

// item is the rule of an array's item i.
func (m *maker) item(flat []*value, i int) (*expr, error) {
	var parts []part
	for _, schema := range flat {
		prefix, rest := itemSchemas(schema)
		switch {
		case i < len(prefix):
			parts = append(parts, part{prefix[i], whole})
		case rest != nil:
			parts = append(parts, part{rest, whole})
		}
	}
	return m.rule(parts)
}
