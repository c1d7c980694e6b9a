package pytorch

import (
	"fmt"
	"slices"
)

// A global is something of Python's by name, module and name, of which a pickle asks.
type global struct{ module, name string }

func (g global) String() string { return g.module + "." + g.name }

// An element is the type of a storage's numbers.
type element struct {
	name string // as safetensors files call it
	size int    // bytes; 1 for storages of bytes, whose tensors say their type
}

// storages are the storages of one type each, and dtypes the types that tensors of untyped storages have.
var (
	storages = map[string]element{
		"FloatStorage": {"F32", 4}, "HalfStorage": {"F16", 2}, "BFloat16Storage": {"BF16", 2}, "DoubleStorage": {"F64", 8},
		"CharStorage": {"I8", 1}, "ByteStorage": {"U8", 1}, "ShortStorage": {"I16", 2}, "IntStorage": {"I32", 4},
		"LongStorage": {"I64", 8}, "BoolStorage": {"BOOL", 1}, "ComplexFloatStorage": {"C64", 8}, "ComplexDoubleStorage": {"C128", 16},
	}
	dtypes = map[string]element{
		"float32": {"F32", 4}, "float16": {"F16", 2}, "bfloat16": {"BF16", 2}, "float64": {"F64", 8},
		"int8": {"I8", 1}, "uint8": {"U8", 1}, "int16": {"I16", 2}, "int32": {"I32", 4}, "int64": {"I64", 8},
		"uint16": {"U16", 2}, "uint32": {"U32", 4}, "uint64": {"U64", 8}, "bool": {"BOOL", 1},
		"complex64": {"C64", 8}, "complex128": {"C128", 16}, "float8_e4m3fn": {"F8_E4M3", 1}, "float8_e5m2": {"F8_E5M2", 1},
	}
	untyped = global{"torch.storage", "UntypedStorage"}
)

// builders are the functions that may be called, none of which does more than to put its arguments together.
var builders = map[global]func(args tuple) (any, error){
	{"collections", "OrderedDict"}:             orderedDict,
	{"torch._utils", "_rebuild_tensor"}:        rebuildTensor,
	{"torch._utils", "_rebuild_tensor_v2"}:     rebuildTensor,
	{"torch._utils", "_rebuild_tensor_v3"}:     rebuildTyped,
	{"torch._utils", "_rebuild_parameter"}:     rebuildParameter,
	{"torch", "Size"}:                          func(args tuple) (any, error) { return one(args) },
	{"torch.serialization", "_get_layout"}:     nil, // named here so that it is not taken for code: of sparse tensors
	{"torch._utils", "_rebuild_sparse_tensor"}: nil,
	{"torch._utils", "_rebuild_qtensor"}:       nil,
}

// look finds what a pickle asks for by name.
func look(module, name string) (any, error) {
	g := global{module, name}
	f, known := builders[g]
	_, storage := storages[name]
	_, dtype := dtypes[name]
	switch {
	case known && f == nil:
		return nil, fmt.Errorf("it asks for %s: only plain tensors are read, neither sparse nor quantized ones", g)
	case known, module == "torch" && (storage || dtype), g == untyped:
		return g, nil
	}
	return nil, fmt.Errorf("it asks for %s, which is code: nothing but plain tensors is read, and nothing is run; a copy of the model in safetensors files can be used", g)
}

func opGlobal(m *machine) error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	g, err := look(module, name)
	return pushed(m, g, err)
}

func opStackGlobal(m *machine) error {
	all, err := m.popped(2)
	if err != nil {
		return err
	}
	module, ok := all[0].(string)
	name, ok2 := all[1].(string)
	if !ok || !ok2 {
		return fmt.Errorf("%s and %s where names are expected", describe(all[0]), describe(all[1]))
	}
	g, err := look(module, name)
	return pushed(m, g, err)
}

// opReduce calls one of builders.
func opReduce(m *machine) error {
	all, err := m.popped(2)
	if err != nil {
		return err
	}
	g, ok := all[0].(global)
	args, ok2 := all[1].(tuple)
	f := builders[g]
	if !ok || !ok2 || f == nil {
		return fmt.Errorf("%s is called with %s", describe(all[0]), describe(all[1]))
	}
	v, err := f(args)
	if err != nil {
		return fmt.Errorf("%s: %w", g, err)
	}
	return m.push(v)
}

// opBuild gives an object attributes. Those of a dictionary, such as _metadata, are of use to nobody here.
func opBuild(m *machine) error {
	if _, err := m.pop(); err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if _, ok := v.(*dict); !ok {
		return fmt.Errorf("%s is given attributes", describe(v))
	}
	return nil
}

// maxNumbers bounds a storage, so that its size in bytes is a whole number of 64 bits.
const maxNumbers = 1 << 58

// opPersistent takes a storage by its id: ("storage", type, key, where it was, numbers).
func opPersistent(m *machine) error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	id, ok := v.(tuple)
	if !ok || len(id) != 5 || id[0] != "storage" {
		return fmt.Errorf("%s where the id of a storage is expected", describe(v))
	}
	g, isGlobal := id[1].(global)
	key, isKey := id[2].(string)
	n, isNumber := id[4].(int64)
	if !isGlobal || !isKey || !isNumber || n < 0 || n > maxNumbers {
		return fmt.Errorf("a storage of %s, %s and %s", describe(id[1]), describe(id[2]), describe(id[4]))
	}
	s := &storage{key: key, numbers: n, element: storages[g.name]}
	switch {
	case g == untyped:
		s.element = element{"", 1}
	case s.element.size == 0:
		return fmt.Errorf("%s is no type of a storage", g)
	}
	return m.push(s)
}

// one is the only argument.
func one(args tuple) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%d arguments, one is expected", len(args))
	}
	return args[0], nil
}

// orderedDict makes a dictionary, of nothing or of a list of pairs.
func orderedDict(args tuple) (any, error) {
	d := newDict()
	if len(args) == 0 {
		return d, nil
	}
	v, err := one(args)
	if err != nil {
		return nil, err
	}
	l, ok := v.(*list)
	if !ok {
		return nil, fmt.Errorf("%s where a list of pairs is expected", describe(v))
	}
	for _, item := range l.items {
		pair, ok := item.(tuple)
		if l, isList := item.(*list); isList {
			pair, ok = l.items, true
		}
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("%s where a pair is expected", describe(item))
		}
		if err := d.set(pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// rebuildTensor is (storage, offset, size, stride, …): whether it wants gradients, and hooks, say nothing of it.
func rebuildTensor(args tuple) (any, error) { return newView(args, nil) }

// rebuildTyped has the type of its numbers behind those.
func rebuildTyped(args tuple) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("%d arguments, at least 7 are expected", len(args))
	}
	g, ok := args[6].(global)
	e, known := dtypes[g.name]
	if !ok || !known {
		return nil, fmt.Errorf("%s where a type of numbers is expected", describe(args[6]))
	}
	return newView(args, &e)
}

// rebuildParameter is (tensor, whether it wants gradients, hooks).
func rebuildParameter(args tuple) (any, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("%d arguments, 3 are expected", len(args))
	}
	if _, ok := args[0].(*view); !ok {
		return nil, fmt.Errorf("%s where a tensor is expected", describe(args[0]))
	}
	return args[0], nil
}

// whole are the whole numbers of a tuple or list, none of them negative.
func whole(v any) ([]int, error) {
	items, ok := v.(tuple)
	if l, isList := v.(*list); isList {
		items, ok = l.items, true
	}
	if !ok {
		return nil, fmt.Errorf("%s where whole numbers are expected", describe(v))
	}
	numbers := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || int64(int(n)) != n {
			return nil, fmt.Errorf("%s where a whole number of 0 or more is expected", describe(item))
		}
		numbers[i] = int(n)
	}
	return slices.Clip(numbers), nil
}
