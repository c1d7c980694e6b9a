package grammar

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func unescapePointer(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
}

// Keywords by what they take.
var (
	takesSchema  = []string{"additionalProperties", "propertyNames", "additionalItems", "unevaluatedProperties", "unevaluatedItems", "items"}
	takesSchemas = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	takesNamed   = []string{"properties", "patternProperties", "$defs", "definitions"}
	takesCount   = []string{"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
	takesNumber  = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	takesString  = []string{"$ref", "pattern", "format", "$anchor"}
	// Values that meet these cannot be told from others while they are written.
	refused = []string{"not", "if", "dependentSchemas", "dependentRequired", "dependencies", "contains", "minContains", "maxContains",
		"$dynamicRef", "$recursiveRef", "extends", "disallow", "divisibleBy"}
)

// check finds what is wrong with a schema, or cannot be held to. It looks at every schema once.
func (m *maker) check(schema *value) error {
	if schema.kind&kindBoolean != 0 {
		return nil
	}
	if schema.kind != kindObject {
		return failure(schema, "schema", "it is neither an object nor true or false")
	}
	if _, ok := m.ids[part{schema, whole}]; ok {
		return nil
	}
	m.ids[part{schema, whole}] = uint32(len(m.ids))
	for i, keyword := range schema.keys {
		if err := m.checkKeyword(schema, keyword, schema.items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) checkKeyword(schema *value, keyword string, v *value) error {
	is := func(list []string) bool { return slices.Contains(list, keyword) }
	wrong := func(what string) error { return failure(schema, keyword, "it is not %s", what) }
	switch {
	case is(refused):
		return failure(schema, keyword, "it cannot be held to")
	case keyword == "uniqueItems":
		if v.kind&kindBoolean == 0 {
			return wrong("true or false")
		}
		if most := schema.get("maxItems"); v.kind == kindTrue && (most == nil || most.text != "0" && most.text != "1") {
			return failure(schema, keyword, "it cannot be held to")
		}
	case keyword == "items" && v.kind == kindArray || is(takesSchemas):
		if v.kind != kindArray || len(v.items) == 0 && keyword != "items" && keyword != "prefixItems" {
			return wrong("an array of schemas")
		}
		return m.checkAll(v.items)
	case is(takesSchema):
		return m.check(v)
	case is(takesNamed):
		if v.kind != kindObject {
			return wrong("an object")
		}
		return m.checkAll(v.items)
	case is(takesCount):
		if n, err := strconv.Atoi(v.text); v.kind != kindInteger || err != nil || n < 0 || n > maxRepeat {
			return wrong("a whole number from 0 to 2^30")
		}
	case is(takesNumber):
		return checkNumber(schema, keyword, v)
	case is(takesString):
		if v.kind != kindString {
			return wrong("a string")
		}
		if keyword == "$anchor" {
			m.anchors[v.text] = schema
		}
	case keyword == "required":
		return checkStrings(schema, keyword, v)
	case keyword == "enum":
		if v.kind != kindArray || len(v.items) == 0 {
			return wrong("an array of values")
		}
	case keyword == "type":
		return checkTypes(schema, v)
	}
	return nil
}

func (m *maker) checkAll(schemas []*value) error {
	for _, s := range schemas {
		if err := m.check(s); err != nil {
			return err
		}
	}
	return nil
}

func checkNumber(schema *value, keyword string, v *value) error {
	if v.kind&kindNumber == 0 {
		return failure(schema, keyword, "it is not a number")
	}
	n, err := v.number()
	if err == nil && keyword == "multipleOf" && n.Sign() <= 0 {
		return failure(schema, keyword, "%s is not above 0", v.text)
	}
	return wrapped(schema.path()+": "+keyword, err)
}

func checkStrings(schema *value, keyword string, v *value) error {
	if v.kind != kindArray {
		return failure(schema, keyword, "it is not an array of strings")
	}
	for _, item := range v.items {
		if item.kind != kindString {
			return failure(schema, keyword, "it is not an array of strings")
		}
	}
	return nil
}

// types are JSON Schema's names of kinds.
var types = map[string]kind{"null": kindNull, "boolean": kindBoolean, "object": kindObject, "array": kindArray,
	"string": kindString, "number": kindNumber, "integer": kindInteger}

func checkTypes(schema, v *value) error {
	list := v.items
	if v.kind == kindString {
		list = []*value{v}
	} else if v.kind != kindArray || len(list) == 0 {
		return failure(schema, "type", "it is neither a name nor an array of names")
	}
	for _, item := range list {
		if _, ok := types[item.text]; item.kind != kindString || !ok {
			return failure(schema, "type", "%q is none", item.text)
		}
	}
	return nil
}

// kinds are those that a schema's type allows, any where it has none.
func (v *value) kinds() kind {
	t := v.get("type")
	if t == nil {
		return kindAny
	}
	if t.kind == kindString {
		return types[t.text]
	}
	var all kind
	for _, item := range t.items {
		all |= types[item.text]
	}
	return all
}
