package grammar

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// FromSchema makes a grammar of a JSON Schema: of draft 2020-12, and of what older drafts and OpenAI's structured
// outputs have in common with it. Every text that is written to it is JSON that meets the schema, but not every such
// text can be written: keys come in the schema's order, numbers are short, white space is little, an object has no
// keys beyond its properties unless additionalProperties is there, an array with prefixItems has all of them unless
// minItems says otherwise, and where type is missing it follows from the other keywords. What cannot be held to is an
// error that names the keyword and where it stands.
func FromSchema(schema []byte) (*Grammar, error) {
	g, err := fromSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return g, nil
}

// JSONObject is the grammar of any JSON object.
func JSONObject() *Grammar {
	g, err := FromSchema([]byte(`{"type":"object"}`))
	if err != nil {
		panic(err) // it is always the same
	}
	return g
}

func fromSchema(schema []byte) (*Grammar, error) {
	if len(schema) > MaxSource {
		return nil, tooLarge(fmt.Sprintf("%d bytes, at most %d", len(schema), MaxSource))
	}
	root, err := readValue(schema)
	if err != nil {
		return nil, err
	}
	m := &maker{root: root, ids: map[part]uint32{}, memo: map[string]int32{}, patterns: map[string]*dfa{}, anchors: map[string]*value{}}
	if err := m.check(root); err != nil {
		return nil, err
	}
	start, err := m.rule([]part{{root, whole}})
	if err != nil {
		return nil, err
	}
	return compile(&m.rules, start.rule)
}

// what of a schema a part is.
type what uint8

const (
	whole   what = iota
	itself       // its keywords, without those that name other schemas for the same value
	choices      // its anyOf
	choice       // its oneOf
)

// part is what a value is held to: a schema, or a part of one.
type part struct {
	schema *value
	what   what
}

// Bounds of what a schema may become.
const (
	mostRules = 4000
	mostLinks = 50_000 // of objects' and strings' graphs, and parts of rules
)

// maker makes rules of schemas. What is held to several schemas at a time becomes one rule.
type maker struct {
	root     *value
	rules    rules
	ids      map[part]uint32
	memo     map[string]int32 // by the ids of parts
	patterns map[string]*dfa
	anchors  map[string]*value
	work     int // of checking values
	links    int
}

// grow counts what is made.
func (m *maker) grow(n int) error {
	if m.links += n; m.links > mostLinks || len(m.memo) > mostRules {
		return tooLarge("it has too many combinations")
	}
	return nil
}

func failure(at *value, keyword, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %s", at.path(), keyword, fmt.Sprintf(format, args...))
}

// rule is the rule of values that meet all parts.
func (m *maker) rule(parts []part) (*expr, error) {
	var ids []uint32
	for _, p := range parts {
		if _, ok := m.ids[p]; !ok {
			m.ids[p] = uint32(len(m.ids))
		}
		ids = append(ids, m.ids[p])
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	var key []byte
	for _, id := range slices.Compact(sorted) {
		key = binary.LittleEndian.AppendUint32(key, id)
	}
	if i, ok := m.memo[string(key)]; ok {
		return call(i), nil
	}
	if err := m.grow(1 + len(parts)/8); err != nil {
		return nil, err
	}
	name := "any value"
	if len(parts) > 0 {
		name = parts[0].schema.path()
	}
	i := m.rules.rule(fmt.Sprintf("%s (%d)", name, len(m.memo)))
	m.memo[string(key)] = i
	body, err := m.body(parts)
	if err != nil {
		return nil, err
	}
	m.rules.bodies[i] = body
	return call(i), nil
}

// body is what the values that meet all parts look like.
func (m *maker) body(parts []part) (*expr, error) {
	flat, open, possible, err := m.expand(parts)
	if err != nil || !possible {
		return alt(), err
	}
	if len(open) == 0 {
		return m.values(flat)
	}
	// One after the other the alternatives of the first choice.
	rest := open[1:]
	for _, schema := range flat {
		rest = append(rest, part{schema, itself})
	}
	options := open[0].options()
	out := alt()
	for i := range options {
		own, possible, err := m.only(rest, open[0], i)
		if err != nil {
			return nil, err
		}
		if !possible {
			continue
		}
		e, err := m.rule(own)
		if err != nil {
			return nil, err
		}
		out.subs = append(out.subs, e)
	}
	return out, nil
}

// options are the schemas of which a part is a choice.
func (p part) options() []*value {
	if p.what == choices {
		return p.schema.get("anyOf").items
	}
	return p.schema.get("oneOf").items
}

// expand follows what names other schemas for the same value. flat are schemas of which only their own keywords are
// left to be looked at, open are choices. possible is false where one of the schemas is false.
func (m *maker) expand(parts []part) (flat []*value, open []part, possible bool, err error) {
	seen := map[*value]bool{}
	queue := slices.Clone(parts)
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if p.what == choices || p.what == choice {
			open = append(open, p)
			continue
		}
		if p.schema.kind == kindFalse {
			return nil, nil, false, nil
		}
		if p.schema.kind == kindTrue || seen[p.schema] {
			continue
		}
		seen[p.schema] = true
		flat = append(flat, p.schema)
		if p.what == itself {
			continue
		}
		if ref := p.schema.get("$ref"); ref != nil {
			target, err := m.resolve(ref)
			if err != nil {
				return nil, nil, false, err
			}
			queue = append(queue, part{target, whole})
		}
		if all := p.schema.get("allOf"); all != nil {
			for _, sub := range all.items {
				queue = append(queue, part{sub, whole})
			}
		}
		if p.schema.get("anyOf") != nil {
			open = append(open, part{p.schema, choices})
		}
		if p.schema.get("oneOf") != nil {
			open = append(open, part{p.schema, choice})
		}
	}
	return flat, open, true, nil
}

// resolve finds the schema that a $ref names, inside the whole schema.
func (m *maker) resolve(ref *value) (*value, error) {
	name := ref.text
	if id := m.root.get("$id"); id != nil && id.kind == kindString && id.text != "" {
		name = strings.TrimPrefix(name, strings.TrimSuffix(id.text, "#"))
	}
	fragment, ok := strings.CutPrefix(name, "#")
	if !ok && name != "" {
		return nil, failure(ref.up, "$ref", "%q is outside of the schema", ref.text)
	}
	if target := m.anchors[fragment]; target != nil && fragment != "" {
		return target, nil
	}
	target := m.root
	if fragment != "" && !strings.HasPrefix(fragment, "/") {
		return nil, failure(ref.up, "$ref", "there is no %q", ref.text)
	}
	for _, name := range strings.Split(fragment, "/")[1:] {
		if fragment == "" {
			break
		}
		if target = target.child(unescapePointer(name)); target == nil {
			return nil, failure(ref.up, "$ref", "there is no %q", ref.text)
		}
	}
	if target.kind&(kindObject|kindBoolean) == 0 {
		return nil, failure(ref.up, "$ref", "%q is no schema", ref.text)
	}
	// What no keyword names as a schema was not looked at yet.
	return target, m.check(target)
}

// child is an item of an array by its number, or of an object by its key.
func (v *value) child(name string) *value {
	for i, item := range v.items {
		if item.name == name {
			return v.items[i]
		}
	}
	return nil
}
