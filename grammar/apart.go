package grammar

import (
	"slices"
)

// only are the parts that a value is held to which meets alternative i of a choice, and none of the others where only
// one may be met.
func (m *maker) only(rest []part, of part, i int) (own []part, possible bool, err error) {
	options := of.options()
	own = append(slices.Clone(rest), part{options[i], whole})
	if of.what == choices {
		return own, true, nil
	}
	for j, other := range options {
		if j == i {
			continue
		}
		apart, err := m.apart(own, other, 0)
		if err != nil {
			return nil, false, err
		}
		if apart {
			continue
		}
		absent, ok := missing(options[i], other)
		switch {
		case !ok:
			return nil, false, failure(of.schema, "oneOf", "alternatives %d and %d may both be met, which cannot be held to; anyOf can", i, j)
		case absent == nil:
			return nil, false, nil
		}
		own = append(own, part{absent, whole})
	}
	return own, true, nil
}

// missing is a schema of objects that do not meet other, which does no more than to name required keys: one of those
// that mine does not require is not there. nil where mine requires them all; false where other says more.
func missing(mine, other *value) (*value, bool) {
	list := other.get("required")
	if list == nil {
		return nil, false
	}
	for _, keyword := range other.keys {
		if keyword != "required" && keyword != "title" && keyword != "description" {
			return nil, false
		}
	}
	required := map[string]bool{}
	if own := mine.get("required"); own != nil {
		for _, key := range own.items {
			required[key.text] = true
		}
	}
	for _, key := range list.items {
		if !required[key.text] {
			named := &value{kind: kindObject, keys: []string{key.text}, items: []*value{nothing}}
			return &value{kind: kindObject, keys: []string{"properties"}, items: []*value{named}, up: other, name: "required"}, true
		}
	}
	return nil, true
}

// deepestApart bounds how far into values two schemas are told apart.
const deepestApart = 8

// apart says whether it is sure that no value that is written for the parts meets the other schema.
func (m *maker) apart(parts []part, other *value, depth int) (bool, error) {
	if m.work++; m.work > mostChecks || depth > deepestApart {
		return false, nil
	}
	mine, open, possible, err := m.expand(parts)
	if err != nil || !possible {
		return !possible, err
	}
	theirs, theirOpen, possible, err := m.expand([]part{{other, whole}})
	if err != nil || !possible {
		return !possible, err
	}
	if apart, err := m.apartFlat(mine, theirs, depth); apart || err != nil {
		return apart, err
	}
	// It is enough that one of their choices cannot be met, whatever it is, or that this holds for all of mine.
	for _, p := range theirOpen {
		all, err := every(p.options(), func(option *value) (bool, error) { return m.apart(parts, option, depth+1) })
		if all || err != nil {
			return all, err
		}
	}
	if len(open) == 0 {
		return false, nil
	}
	rest := open[1:]
	for _, schema := range mine {
		rest = append(rest, part{schema, itself})
	}
	return every(open[0].options(), func(option *value) (bool, error) {
		return m.apart(append(slices.Clone(rest), part{option, whole}), other, depth+1)
	})
}

func every(options []*value, holds func(*value) (bool, error)) (bool, error) {
	for _, option := range options {
		if good, err := holds(option); err != nil || !good {
			return false, err
		}
	}
	return true, nil
}

// apartFlat is apart for the schemas' own keywords.
func (m *maker) apartFlat(mine, theirs []*value, depth int) (bool, error) {
	common := kindsOf(mine)
	for _, schema := range theirs {
		common &= schema.kinds()
	}
	for _, lists := range [][2][]*value{{mine, theirs}, {theirs, mine}} {
		if list, ok := enumOf(lists[0]); ok {
			return every(list, func(v *value) (bool, error) {
				good, err := every(slices.Concat(mine, theirs), func(schema *value) (bool, error) { return m.meets(v, schema, false) })
				return !good, err
			})
		}
	}
	if common&(kindNull|kindBoolean) != 0 {
		return false, nil
	}
	for _, way := range []struct {
		kind  kind
		apart func(mine, theirs []*value, depth int) (bool, error)
	}{{kindNumber, m.apartNumbers}, {kindString, m.apartStrings}, {kindArray, m.apartArrays}, {kindObject, m.apartObjects}} {
		if common&way.kind == 0 {
			continue
		}
		if apart, err := way.apart(mine, theirs, depth); err != nil || !apart {
			return false, err
		}
	}
	return true, nil
}

func (m *maker) apartNumbers(mine, theirs []*value, _ int) (bool, error) {
	a, err := numberSpecOf(mine)
	if err != nil {
		return false, err
	}
	b, err := numberSpecOf(theirs)
	if err != nil {
		return false, err
	}
	below := func(a, b *numberSpec) bool {
		return a.hi != nil && b.lo != nil && (a.hi.Cmp(b.lo) < 0 || a.hi.Cmp(b.lo) == 0 && (a.hiOut || b.loOut))
	}
	return below(a, b) || below(b, a), nil
}

// separate says whether the bounds of two counts have nothing in common.
func separate(mine, theirs []*value, least, most string) bool {
	lowA, highA := bounds(mine, least, most)
	lowB, highB := bounds(theirs, least, most)
	return highA != unlimited && highA < lowB || highB != unlimited && highB < lowA
}

func (m *maker) apartStrings(mine, theirs []*value, _ int) (bool, error) {
	if separate(mine, theirs, "minLength", "maxLength") {
		return true, nil
	}
	a, err := m.textOf(mine)
	if err != nil || a == nil {
		return false, err
	}
	b, err := m.textOf(theirs)
	if err != nil || b == nil {
		return false, err
	}
	both, err := a.and(b)
	return err == nil && both.empty(), nil
}

func (m *maker) apartArrays(mine, theirs []*value, _ int) (bool, error) {
	return separate(mine, theirs, "minItems", "maxItems"), nil
}

// apartObjects looks for a key that one of both requires, and of which they say what cannot both be.
func (m *maker) apartObjects(mine, theirs []*value, depth int) (bool, error) {
	keys, required := keysOf(mine)
	theirKeys, theirRequired := keysOf(theirs)
	others, err := m.others(mine, keys)
	if err != nil {
		return false, err
	}
	for _, key := range slices.Concat(keys, theirKeys) {
		if !required[key] && !theirRequired[key] {
			continue
		}
		if !slices.Contains(keys, key) && len(others) == 0 {
			return true, nil // they require what I never write
		}
		parts, err := m.property(mine, key)
		if err != nil {
			return false, err
		}
		subs, err := m.property(theirs, key)
		if err != nil {
			return false, err
		}
		for _, sub := range subs {
			if apart, err := m.apart(parts, sub.schema, depth+1); apart || err != nil {
				return apart, err
			}
		}
	}
	return false, nil
}
