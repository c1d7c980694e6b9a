package grammar

import (
	"strings"
)

// property is a key that an object may have.
type property struct {
	key      string
	required bool
	value    *expr
}

// object is what the objects that meet all schemas have.
type object struct {
	properties []property
	others     []other // beyond those
	min, max   int
}

// other are keys that an object may have beyond its properties, with the rule of what they have.
type other struct{ key, value *expr }

// objectOf is the objects that meet all schemas.
func (m *maker) objectOf(flat []*value) (*expr, error) {
	o := &object{}
	o.min, o.max = bounds(flat, "minProperties", "maxProperties")
	keys, required := keysOf(flat)
	if err := m.grow(len(keys) * len(flat) / 8); err != nil {
		return nil, err
	}
	for _, key := range keys {
		parts, err := m.property(flat, key)
		if err != nil {
			return nil, err
		}
		v, err := m.rule(parts)
		if err != nil {
			return nil, err
		}
		o.properties = append(o.properties, property{key, required[key], v})
	}
	var err error
	if o.others, err = m.others(flat, keys); err != nil {
		return nil, err
	}
	if len(o.others) > 0 && o.min > len(required) {
		return nil, failure(flat[0], "minProperties", "keys beyond properties and required cannot be counted: they may come twice")
	}
	return m.written(o)
}

// keysOf are the keys that schemas name, in order, and which of them an object must have.
func keysOf(flat []*value) (keys []string, required map[string]bool) {
	required = map[string]bool{}
	listed := map[string]bool{}
	list := func(key string) {
		if !listed[key] {
			listed[key] = true
			keys = append(keys, key)
		}
	}
	for _, schema := range flat {
		if named := schema.get("properties"); named != nil {
			for _, key := range named.keys {
				list(key)
			}
		}
	}
	for _, schema := range flat {
		if all := schema.get("required"); all != nil {
			for _, key := range all.items {
				required[key.text] = true
				list(key.text)
			}
		}
	}
	return keys, required
}

// counted is how many keys matter for the bounds.
func (o *object) counted() int {
	n := max(1, o.min)
	if o.max != unlimited && (len(o.others) > 0 || o.max < len(o.properties)) {
		n = max(n, o.max)
	}
	if len(o.others) == 0 {
		n = min(n, len(o.properties)+1)
	}
	return n
}

// writer makes the graph of an object. A node is how many properties were passed by, and how many keys there are.
type writer struct {
	*maker
	object  *object
	most    int // keys that are counted
	links   []link
	reached map[int]bool
}

func (w *writer) node(passed, keys int) int { return 2 + passed*(w.most+1) + keys }

// entry adds a key with its value.
func (w *writer) entry(passed, keys, to int, key, v *expr) {
	if w.object.max != unlimited && keys >= w.object.max {
		return
	}
	next := w.node(to, min(keys+1, w.most))
	w.reached[next] = true
	w.links = append(w.links, link{w.node(passed, keys), next,
		seq(w.comma(keys > 0), key, text(":"), optional(text(" ")), v)})
}

// written is how an object is written: its properties in their order, then others.
func (m *maker) written(o *object) (*expr, error) {
	w := &writer{maker: m, object: o, most: o.counted(), reached: map[int]bool{}}
	n := len(o.properties)
	if (w.most+1)*(n+1) > 20*mostRules {
		return nil, tooLarge("minProperties or maxProperties")
	}
	w.links = []link{{0, w.node(0, 0), text("{")}}
	w.reached[w.node(0, 0)] = true
	for i, p := range o.properties {
		var key strings.Builder
		writeString(&key, p.key)
		for keys := range w.most + 1 {
			if !w.reached[w.node(i, keys)] {
				continue
			}
			if !p.required {
				w.links = append(w.links, link{w.node(i, keys), w.node(i+1, keys), seq()})
				w.reached[w.node(i+1, keys)] = true
			}
			w.entry(i, keys, i+1, text(key.String()), p.value)
		}
	}
	for keys := range w.most + 1 {
		if !w.reached[w.node(n, keys)] {
			continue
		}
		if keys >= o.min {
			w.links = append(w.links, link{w.node(n, keys), 1, m.closing("}")})
		}
		for _, other := range o.others {
			w.entry(n, keys, n, other.key, other.value)
		}
	}
	return graph(w.links), m.grow(len(w.links))
}

// property are the schemas of what an object has under a key.
func (m *maker) property(flat []*value, key string) ([]part, error) {
	var parts []part
	for _, schema := range flat {
		subs, err := m.schemasOf(schema, key)
		if err != nil {
			return nil, err
		}
		for _, sub := range subs {
			parts = append(parts, part{sub, whole})
		}
		names := schema.get("propertyNames")
		if names == nil {
			continue
		}
		good, err := m.meets(&value{kind: kindString, text: key}, names, true)
		if err != nil {
			return nil, err
		}
		if !good {
			parts = append(parts, part{nothing, whole})
		}
	}
	return parts, nil
}

// nothing is the schema that no value meets.
var nothing = &value{kind: kindFalse}

// schemasOf are those that one schema has for a key.
func (m *maker) schemasOf(schema *value, key string) ([]*value, error) {
	var subs []*value
	if named := schema.get("properties"); named != nil {
		if sub := named.get(key); sub != nil {
			subs = append(subs, sub)
		}
	}
	if by := schema.get("patternProperties"); by != nil {
		for i, source := range by.keys {
			d, err := m.automaton(by, "patternProperties", source)
			if err != nil {
				return nil, err
			}
			if d.accepts(key) {
				subs = append(subs, by.items[i])
			}
		}
	}
	if rest := schema.get("additionalProperties"); rest != nil && len(subs) == 0 {
		subs = append(subs, rest)
	}
	return subs, nil
}
