package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/mmrun/mmrun/internal/spirv"
	"github.com/mmrun/mmrun/shaders"
)

// Arguments of a kernel, its specialization constants and its push constants, are structs: a field has the
// name that GLSL has for it, a constant's in whatever letters, or else the name in its tag glsl. An int
// (not negative) or uint32 is a uint, an int32 an int, a float64 or float32 a float, a bool a bool; a Go
// array is an array. Fields that are structs themselves, embedded or of an interface type, are as if their
// fields stood in their place. What a shader has and the struct has not, or the other way round, or with
// another type, is an error. But a constant may be missing in a variant of a shader that has no use for it,
// when it is in another variant.

// Check says what is wrong with the arguments of a shader's variant, such as "gemv.f32.texel"; nil are none.
func Check(variant string, spec, push any) error {
	_, _, err := encode(variant, spec, push)
	return err
}

// encode returns the values of the specialization constants from 0 on, and the block of push constants.
func encode(variant string, spec, push any) (constants []uint32, block []byte, err error) {
	a, err := argumentsOf(variant)
	if err != nil {
		return nil, nil, err
	}
	if constants, err = encodeSpec(variant, a.Constants, spec); err != nil {
		return nil, nil, fmt.Errorf("%s: specialization constant %w", variant, err)
	}
	if block, err = encodePush(a.Push, push); err != nil {
		return nil, nil, fmt.Errorf("%s: push constant %w", variant, err)
	}
	return constants, block, nil
}

var known sync.Map // arguments of variants, by name

func argumentsOf(variant string) (*spirv.Arguments, error) {
	if a, ok := known.Load(variant); ok {
		return a.(*spirv.Arguments), nil
	}
	code, err := shaders.Load(variant)
	if err != nil {
		return nil, err
	}
	a, err := spirv.ReadArguments(code)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variant, err)
	}
	known.Store(variant, a)
	return a, nil
}

func encodeSpec(variant string, constants []spirv.Constant, spec any) ([]uint32, error) {
	fields, err := fieldsOf(spec, strings.ToUpper)
	if err != nil {
		return nil, err
	}
	var values []uint32
	for _, c := range constants { // by rising ID
		value, ok := fields.take(c.Name)
		if !ok {
			return nil, fmt.Errorf("%s is not given", c.Name)
		}
		if c.ID > 1<<10 {
			return nil, fmt.Errorf("%s has the number %d", c.Name, c.ID)
		}
		values = append(values, make([]uint32, int(c.ID)+1-len(values))...)
		if values[c.ID], err = word(value, c.Type); err != nil {
			return nil, fmt.Errorf("%s %w", c.Name, err)
		}
	}
	for _, f := range fields {
		if !inFamily(variant, f.name, f.value) {
			return nil, fmt.Errorf("%s is not known to the shader", f.name)
		}
	}
	return values, nil
}

// inFamily says whether a variant of the same shader has a specialization constant that could take a value.
func inFamily(variant, constant string, value reflect.Value) bool {
	stem, _, _ := strings.Cut(variant, ".")
	return slices.ContainsFunc(shaders.Names(), func(name string) bool {
		if family, _, _ := strings.Cut(name, "."); family != stem {
			return false
		}
		a, err := argumentsOf(name)
		return err == nil && slices.ContainsFunc(a.Constants, func(c spirv.Constant) bool {
			_, err := word(value, c.Type)
			return c.Name == constant && err == nil
		})
	})
}

func encodePush(members []spirv.Member, push any) ([]byte, error) {
	fields, err := fieldsOf(push, func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	var block []byte
	for _, m := range members {
		value, ok := fields.take(m.Name)
		if !ok {
			return nil, fmt.Errorf("%s is not given", m.Name)
		}
		numbers, stride := []reflect.Value{value}, 4
		if array := value.Kind() == reflect.Array; array || m.Count > 0 {
			if !array || value.Len() != m.Count {
				return nil, fmt.Errorf("%s is %s[%d], not %v", m.Name, m.Type, m.Count, value.Type())
			}
			numbers, stride = numbers[:0], m.Stride
			for i := range m.Count {
				numbers = append(numbers, value.Index(i))
			}
		}
		end := m.Offset + (len(numbers)-1)*stride + 4
		block = append(block, make([]byte, max(0, end-len(block)))...)
		for i, number := range numbers {
			bits, err := word(number, m.Type)
			if err != nil {
				return nil, fmt.Errorf("%s %w", m.Name, err)
			}
			binary.LittleEndian.PutUint32(block[m.Offset+i*stride:], bits)
		}
	}
	if len(fields) > 0 {
		return nil, fmt.Errorf("%s is not known to the shader", fields[0].name)
	}
	return block, nil
}

// fields are those of a struct that are still to be taken.
type fields []field

type field struct {
	name  string
	value reflect.Value
}

// take returns the value of the field of a name.
func (f *fields) take(name string) (reflect.Value, bool) {
	i := slices.IndexFunc(*f, func(one field) bool { return one.name == name })
	if i < 0 {
		return reflect.Value{}, false
	}
	value := (*f)[i].value
	*f = slices.Delete(*f, i, i+1)
	return value, true
}

// fieldsOf lists the fields of a struct, named as spelled, with those of structs in it; nil has none.
func fieldsOf(from any, spelled func(string) string) (fields, error) {
	var all fields
	var add func(v reflect.Value) error
	add = func(v reflect.Value) error {
		for i := range v.NumField() {
			value, of := v.Field(i), v.Type().Field(i)
			if value.Kind() == reflect.Interface {
				value = value.Elem()
			}
			name, tagged := of.Tag.Lookup("glsl")
			if !tagged {
				name = spelled(of.Name)
			}
			switch {
			case !value.IsValid(): // none
			case value.Kind() == reflect.Struct:
				if err := add(value); err != nil {
					return err
				}
			case slices.ContainsFunc(all, func(f field) bool { return f.name == name }):
				return fmt.Errorf("%s is given twice", name)
			default:
				all = append(all, field{name, value})
			}
		}
		return nil
	}
	v := reflect.ValueOf(from)
	if !v.IsValid() {
		return nil, nil
	}
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("structs are wanted, not %T", from)
	}
	return all, add(v)
}

// word is a number as a shader has it.
func word(v reflect.Value, as spirv.Type) (uint32, error) {
	var is spirv.Type
	var bits uint32
	switch v.Kind() {
	case reflect.Int:
		n := v.Int()
		if n < 0 || n > math.MaxUint32 {
			return 0, fmt.Errorf("is a uint, which %d is not", n)
		}
		is, bits = spirv.Uint, uint32(n)
	case reflect.Uint32:
		is, bits = spirv.Uint, uint32(v.Uint())
	case reflect.Int32:
		is, bits = spirv.Int, uint32(v.Int())
	case reflect.Float32, reflect.Float64:
		is, bits = spirv.Float, math.Float32bits(float32(v.Float()))
	case reflect.Bool:
		is = spirv.Bool
		if v.Bool() {
			bits = 1
		}
	}
	if is != as {
		return 0, fmt.Errorf("is of type %s, not %v", as, v.Type())
	}
	return bits, nil
}
