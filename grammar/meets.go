package grammar

import (
	"math"
	"unicode/utf8"
)

// mostChecks bounds the work of holding values that a schema lists to other schemas.
const mostChecks = 1 << 18

// meets says whether a value meets a schema, as JSON Schema has it: by its own keywords, and with deep by the
// schemas that it names for the same value.
func (m *maker) meets(v, schema *value, deep bool) (bool, error) {
	if m.work++; m.work > mostChecks {
		return false, tooLarge("enum or const beside other keywords")
	}
	if schema.kind != kindObject {
		return schema.kind == kindTrue, nil
	}
	if schema.kinds()&v.kind == 0 {
		return false, nil
	}
	if only := schema.get("const"); only != nil && !only.equal(v) {
		return false, nil
	}
	if list := schema.get("enum"); list != nil {
		found := v.up == list
		for i := 0; i < len(list.items) && !found; i++ {
			m.work++
			found = list.items[i].equal(v)
		}
		if !found {
			return false, nil
		}
	}
	good, err := m.meetsKind(v, schema)
	if err != nil || !good || !deep {
		return good, err
	}
	return m.meetsOthers(v, schema)
}

// meetsOthers holds a value to the schemas that a schema names for it.
func (m *maker) meetsOthers(v, schema *value) (bool, error) {
	var all []*value
	if ref := schema.get("$ref"); ref != nil {
		target, err := m.resolve(ref)
		if err != nil {
			return false, err
		}
		all = append(all, target)
	}
	if sub := schema.get("allOf"); sub != nil {
		all = append(all, sub.items...)
	}
	for _, sub := range all {
		if good, err := m.meets(v, sub, true); err != nil || !good {
			return false, err
		}
	}
	for keyword, most := range map[string]int{"anyOf": math.MaxInt, "oneOf": 1} {
		sub := schema.get(keyword)
		if sub == nil {
			continue
		}
		met := 0
		for _, option := range sub.items {
			good, err := m.meets(v, option, true)
			if err != nil {
				return false, err
			}
			if good {
				met++
			}
		}
		if met == 0 || met > most {
			return false, nil
		}
	}
	return true, nil
}

// meetsKind holds a value to the keywords for its kind.
func (m *maker) meetsKind(v, schema *value) (bool, error) {
	switch v.kind {
	case kindInteger, kindFraction:
		n, err := numberSpecOf([]*value{schema})
		if err != nil {
			return false, err
		}
		n.whole = false // the kind was looked at
		x, err := v.number()
		return err == nil && n.meets(x), err
	case kindString:
		return m.meetsString(v, schema)
	case kindArray:
		return m.meetsArray(v, schema)
	case kindObject:
		return m.meetsObject(v, schema)
	}
	return true, nil
}

// within says whether a count is within a schema's bounds.
func within(n int, schema *value, least, most string) bool {
	min, max := bounds([]*value{schema}, least, most)
	return n >= min && (max == unlimited || n <= max)
}

func (m *maker) meetsString(v, schema *value) (bool, error) {
	if !within(utf8.RuneCountInString(v.text), schema, "minLength", "maxLength") {
		return false, nil
	}
	for _, keyword := range []string{"pattern", "format"} {
		source := schema.get(keyword)
		if source == nil {
			continue
		}
		d, err := m.automaton(schema, keyword, source.text)
		if err != nil {
			return false, err
		}
		if d != nil && !d.accepts(v.text) {
			return false, nil
		}
	}
	return true, nil
}

func (m *maker) meetsArray(v, schema *value) (bool, error) {
	if !within(len(v.items), schema, "minItems", "maxItems") {
		return false, nil
	}
	prefix, rest := itemSchemas(schema)
	for i, item := range v.items {
		sub := rest
		if i < len(prefix) {
			sub = prefix[i]
		}
		if sub == nil {
			continue
		}
		if good, err := m.meets(item, sub, true); err != nil || !good {
			return false, err
		}
	}
	return true, nil
}

func (m *maker) meetsObject(v, schema *value) (bool, error) {
	if !within(len(v.items), schema, "minProperties", "maxProperties") {
		return false, nil
	}
	if list := schema.get("required"); list != nil {
		for _, key := range list.items {
			if v.get(key.text) == nil {
				return false, nil
			}
		}
	}
	names := schema.get("propertyNames")
	for i, key := range v.keys {
		subs, err := m.schemasOf(schema, key)
		if err != nil {
			return false, err
		}
		for _, sub := range subs {
			if good, err := m.meets(v.items[i], sub, true); err != nil || !good {
				return false, err
			}
		}
		if names != nil {
			if good, err := m.meets(&value{kind: kindString, text: key}, names, true); err != nil || !good {
				return false, err
			}
		}
	}
	return true, nil
}
