package grammar

import (
	"fmt"
	"slices"
)

// mostPatterns bounds patternProperties: keys are told apart by every combination of patterns.
const mostPatterns = 4

// others are what an object may have beyond its properties: nothing, unless a schema speaks of it, or none has
// properties.
func (m *maker) others(flat []*value, keys []string) ([]other, error) {
	var patterns []*value // schemas by pattern
	open := len(keys) == 0
	for _, schema := range flat {
		if by := schema.get("patternProperties"); by != nil {
			patterns = append(patterns, by.items...)
			open = false
		}
		if schema.get("properties") != nil || schema.get("unevaluatedProperties") != nil {
			open = false
		}
	}
	for _, schema := range flat {
		open = open || schema.get("additionalProperties") != nil
	}
	if len(patterns) > mostPatterns {
		return nil, failure(flat[0], "patternProperties", "%d patterns, at most %d", len(patterns), mostPatterns)
	}
	var all []other
	for combination := range 1 << len(patterns) {
		if combination == 0 && !open {
			continue
		}
		o, err := m.otherKeys(flat, keys, patterns, combination)
		if err != nil {
			return nil, err
		}
		all = append(all, o...)
	}
	return all, nil
}

// otherKeys are the keys that match those of the patterns that are in a combination.
func (m *maker) otherKeys(flat []*value, keys []string, patterns []*value, combination int) ([]other, error) {
	matching := func(p *value) bool { return combination>>slices.Index(patterns, p)&1 == 1 }
	var parts []part
	for _, schema := range flat {
		matched := false
		if by := schema.get("patternProperties"); by != nil {
			for _, p := range by.items {
				if matching(p) {
					parts = append(parts, part{p, whole})
					matched = true
				}
			}
		}
		rest := schema.get("additionalProperties")
		if rest == nil || matched {
			continue
		}
		if rest.kind == kindFalse {
			return nil, nil
		}
		parts = append(parts, part{rest, whole})
	}
	key, err := m.key(flat, keys, patterns, matching)
	if err != nil || key == nil {
		return nil, err
	}
	v, err := m.rule(parts)
	return []other{{key, v}}, err
}

// key is how keys are written that are none of the properties and match those patterns; nil where there is none.
func (m *maker) key(flat []*value, keys []string, patterns []*value, matching func(*value) bool) (*expr, error) {
	var all *dfa
	add := func(d *dfa, err error) error {
		if err == nil && all != nil {
			d, err = all.and(d)
		}
		all = d
		return err
	}
	if len(keys) > 0 {
		d, err := words(keys)
		if err != nil {
			return nil, wrapped("additionalProperties beside so many properties", err)
		}
		all = d.not()
	}
	for _, p := range patterns {
		d, err := m.automaton(p.up, "patternProperties", p.name)
		if err == nil && !matching(p) {
			d = d.not()
		}
		if err = add(d, err); err != nil {
			return nil, err
		}
	}
	for _, schema := range flat {
		if names := schema.get("propertyNames"); names != nil {
			d, err := m.names(names)
			if err == nil && d != nil {
				err = add(d, nil)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	switch {
	case all == nil:
		return m.anyString(), nil
	case all.empty():
		return nil, nil
	}
	return seq(text(`"`), all.expr(inString), text(`"`)), nil
}

// names is the automaton of keys that propertyNames allows, nil where it allows all.
func (m *maker) names(schema *value) (*dfa, error) {
	flat, open, possible, err := m.expand([]part{{schema, whole}})
	switch {
	case err != nil:
		return nil, err
	case !possible || kindsOf(flat)&kindString == 0:
		return words(nil)
	case len(open) > 0:
		return nil, failure(schema, "propertyNames", "anyOf and oneOf cannot be held to")
	}
	if list, ok := enumOf(flat); ok {
		var good []string
		for _, v := range list {
			meets, err := m.meets(v, schema, true)
			if err != nil {
				return nil, err
			}
			if meets && v.kind == kindString {
				good = append(good, v.text)
			}
		}
		return words(good)
	}
	d, err := m.textOf(flat)
	if err != nil || d != nil {
		return d, err
	}
	min, max := bounds(flat, "minLength", "maxLength")
	if min == 0 && max == unlimited {
		return nil, nil
	}
	d, err = lengths(min, max)
	return d, wrapped(fmt.Sprintf("%s: minLength or maxLength", schema.path()), err)
}
