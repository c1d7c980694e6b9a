package chat

// expr is an expression.
type expr interface{}

type (
	constExpr struct{ value any }
	nameExpr  struct{ name string }
	listExpr  struct {
		items []expr
		tuple bool
	}
	dictExpr struct{ keys, values []expr }
	attrExpr struct {
		of   expr
		name string
	}
	itemExpr struct{ of, key expr }
	// sliceExpr is the key a:b:c; each may be nil.
	sliceExpr struct{ from, to, step expr }
	callExpr  struct {
		fn   expr
		args arguments
	}
	filterExpr struct {
		of   expr // nil: the text of a block
		name string
		args arguments
	}
	testExpr struct {
		of   expr
		name string
		args arguments
		not  bool
	}
	unaryExpr struct {
		op string
		of expr
	}
	binaryExpr struct {
		op          string
		left, right expr
	}
	compareExpr struct {
		first expr
		ops   []string
		rest  []expr
	}
	condExpr struct{ test, then, other expr } // other may be nil
)

// arguments of a call.
type arguments struct {
	pos    []expr
	names  []string
	values []expr
	star   expr // *list, or nil
	stars  expr // **dict, or nil
}

// stmt is a statement; line is where it begins.
type stmt struct {
	line int
	node any
}

type (
	dataStmt  struct{ text string }
	printStmt struct{ of expr }
	ifStmt    struct {
		tests  []expr
		bodies [][]stmt // one more than tests when there is an else
	}
	forStmt struct {
		target    expr
		in, test  expr
		body      []stmt
		other     []stmt
		recursive bool
	}
	setStmt struct {
		target expr
		value  expr
	}
	setBlockStmt struct {
		target expr
		filter expr // nil, or a chain of filters
		body   []stmt
	}
	macroStmt struct{ *macroDef }
	callStmt  struct {
		call expr
		body *macroDef
	}
	withStmt struct {
		targets, values []expr
		body            []stmt
	}
	filterStmt struct {
		filter expr
		body   []stmt
	}
	scopeStmt    struct{ body []stmt } // generation
	breakStmt    struct{}
	continueStmt struct{}
)

// macroDef is a macro: its parameters, of which the last have defaults.
type macroDef struct {
	name     string
	params   []string
	defaults []expr
	body     []stmt
	reads    map[string]bool // names that are read in the body
}
