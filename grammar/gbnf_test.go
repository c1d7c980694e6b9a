package grammar

import (
	"strings"
	"testing"
)

func TestGBNF(t *testing.T) {
	for _, test := range []struct {
		gbnf      string
		good, bad []string
	}{
		{`root ::= "a"`, []string{"a"}, []string{"", "b", "aa"}},
		{"root ::= \"a\" | \"b\" # or\n  # nothing\n\n", []string{"a", "b"}, []string{"ab"}},
		{"# first\r\nroot ::=\r\n  \"a\" x_1\r\nx_1 ::= \"b\" |\r\n  \"c\"\r\n", []string{"ab", "ac"}, []string{"a"}},
		{"root ::= (\n \"a\"\n # between\n | \"b\"\n)+", []string{"a", "bab"}, []string{""}},
		{`root ::= "a"* "b"+ "c"?`, []string{"b", "aabbc"}, []string{"ac", "bcc"}},
		{`root ::= "a"{2} "b"{1,} "c"{,2} "d"{ 0 , 1 }`, []string{"aab", "aabbccd"}, []string{"ab", "aabccc", "aabdd"}},
		{`root ::= [a-c] [^a-c] [-x] [\]\[\^] .`, []string{"ad-]é", "aé-^\n"}, []string{"aa-]x", "ady]x"}},
		{`root ::= "\x41\u00e9\U0001F600\t\n\r\\\""`, []string{"Aé😀\t\n\r\\\""}, nil},
		{`root ::= [ぁ-ゟ]+`, []string{"ひらがな"}, []string{"x"}},
		{`root ::= "" | ("x" | )`, []string{"", "x"}, nil},
		{"root ::= \"(\" root \")\" | num\nnum ::= [0-9]+", []string{"((12))", "3"}, []string{"(3", "()"}},
		{"root ::= item (\",\" ws item){0,3}\nitem ::= [a-z]+\nws ::= [ \\t\\n]*", []string{"a", "a, b,c"}, []string{"a,", "a,b,c,d,e"}},
		{"root ::= \"1. \" move \" \" move \"\\n\" ([1-9] [0-9]? \". \" move \" \" move \"\\n\")+\n" +
			"move ::= (pawn | nonpawn | castle) [+#]?\n" +
			"nonpawn ::= [NBKQR] [a-h]? [1-8]? \"x\"? [a-h] [1-8]\n" +
			"pawn ::= ([a-h] \"x\")? [a-h] [1-8] (\"=\" [NBKQR])?\n" +
			"castle ::= \"O-O\" \"-O\"?",
			[]string{"1. e4 e5\n2. Nf3 Nc6\n", "1. e4 e5\n2. O-O-O exd8=Q#\n"}, []string{"1. e4 e5\n", "1. e9 e5\n2. a1 a2\n"}},
	} {
		g := parse(t, test.gbnf)
		for _, s := range test.good {
			if !read(t, g, s).whole {
				t.Errorf("%s\ndoes not take %q", test.gbnf, s)
			}
		}
		for _, s := range test.bad {
			if read(t, g, s).whole {
				t.Errorf("%s\ntakes %q", test.gbnf, s)
			}
		}
	}
}

func TestBadGBNF(t *testing.T) {
	for _, test := range []struct{ gbnf, want string }{
		{"", `there is no rule "root"`},
		{"a ::= \"x\"", `there is no rule "root"`},
		{"root ::= x", `rule "x" is used and not there`},
		{"root ::= \"a\"\nroot ::= \"b\"", `line 2: rule "root" is there twice`},
		{"root = \"a\"", `line 1: ::= is expected after "root", found "= \"a\""`},
		{"root ::= \"a", "line 1: a literal or a class does not end"},
		{"root ::= \"a\"\n\nx ::= [a", "line 3: a literal or a class does not end"},
		{"root ::= (\"a\"", "line 1: ) is expected, found the end"},
		{"root ::= \"a\" )", `line 1: the end of rule "root" is expected, found ")"`},
		{"root ::= * \"a\"", `line 1: there is nothing to repeat before "\"a\""`},
		{"root ::= \"a\"{3,2}", "{3,2}: the most is below the least"},
		{"root ::= \"a\"{x}", `a number is expected, found "x}"`},
		{"root ::= \"a\"{99999999999}", "99999999999 is more than"},
		{`root ::= "\q"`, "the escape"},
		{`root ::= "\ud800"`, "is no character"},
		{`root ::= "\U00110000"`, "is no character"},
		{`root ::= [z-a]`, "the range from 'z' to 'a' is empty"},
		{"root ::= root \"a\" | \"b\"", `rule "root" begins with itself (left recursion)`},
		{"root ::= a\na ::= b? c \"x\"\nb ::= \"y\"*\nc ::= a?", "begins with itself"},
		{"root ::= \"a\" root", "no text can meet it"},
		{"root ::= []", "no text can meet it"},
		{"root ::= <think", "a token such as"},
		{"root ::= <[x]>", "a token such as"},
		{"root ::= \"\xff\"", "it is not UTF-8"},
		{"root ::= " + strings.Repeat("(", 300), "parentheses"},
		{strings.Repeat("#", MaxSource+1), "too large"},
		{"root ::= " + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" | `, 20000) + `""`, "too large"},
	} {
		_, err := Parse(test.gbnf)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "grammar: ") {
			t.Errorf("%.60q: got %v, want %s", test.gbnf, err, test.want)
		}
	}
}

// TestNesting: a text nests as deep as MaxDepth allows, and can still end there.
func TestNesting(t *testing.T) {
	g := parse(t, `root ::= "(" root ")" | "x"`)
	r := read(t, g, strings.Repeat("(", 2*MaxDepth))
	if r.began < MaxDepth-10 || r.began > MaxDepth {
		t.Fatalf("it nests %d deep", r.began)
	}
	if s := strings.Repeat("(", r.began) + "x" + strings.Repeat(")", r.began); !read(t, g, s).whole {
		t.Error("it does not end")
	}
	// What repeats at the end of a rule does not nest.
	list := parse(t, "root ::= item root | item\nitem ::= \"a\"")
	if s := strings.Repeat("a", 3*MaxDepth); !read(t, list, s).whole {
		t.Error("a list is too long")
	}
}
