package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// How many lines a function may have; a test carries its table of cases.
const longest, longestTest = 60, 100

// sources parses every Go file of the repository.
func sources(t *testing.T) (*token.FileSet, map[string]*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	parsed := map[string]*ast.File{}
	for file, text := range texts(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		f, err := parser.ParseFile(fset, file, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed[file] = f
	}
	return fset, parsed
}

func TestFunctionsAreShort(t *testing.T) {
	fset, parsed := sources(t)
	for file, f := range parsed {
		limit := longest
		if strings.HasSuffix(file, "_test.go") {
			limit = longestTest
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			from, to := fset.Position(fn.Pos()), fset.Position(fn.End())
			if lines := to.Line - from.Line + 1; lines > limit {
				t.Errorf("%s: %s has %d lines, at most %d", from, fn.Name.Name, lines, limit)
			}
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	fset, parsed := sources(t)
	documented := map[string]bool{} // folders whose package has a doc comment
	for file, f := range parsed {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if f.Doc != nil {
			documented[path.Dir(file)] = true
		}
		for _, decl := range f.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no doc comment", fset.Position(name.Pos()), name.Name)
			}
		}
	}
	for file := range parsed {
		if dir := path.Dir(file); !strings.HasSuffix(file, "_test.go") && !documented[dir] {
			t.Errorf("%s: the package has no doc comment", dir)
			documented[dir] = true
		}
	}
}

// undocumented returns a declaration's exported names that have no comment. A constant or variable
// may share the comment of its group, or stand beside its own; what error and fmt.Stringer ask of a
// method says what it does.
func undocumented(decl ast.Decl) []*ast.Ident {
	var found []*ast.Ident
	switch d := decl.(type) {
	case *ast.FuncDecl:
		known := d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "Is", "String"}, d.Name.Name)
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !known {
			found = append(found, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) && s.Comment == nil {
					found = append(found, s.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						found = append(found, name)
					}
				}
			}
		}
	}
	return found
}

// exportedReceiver reports whether a function is no method, or one of an exported type.
func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	typ := fn.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
