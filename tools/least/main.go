// Command least builds the layer that gives devices the least of every limit, and prints the environment that switches
// it on: export $(go run ./tools/least FOLDER [LIMITS]).
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/mmrun/mmrun/vk/testlayer"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: least FOLDER [LIMITS]")
		os.Exit(2)
	}
	env, err := testlayer.Build(os.Args[1], strings.Join(os.Args[2:], ""))
	if err != nil {
		fmt.Fprintln(os.Stderr, "least:", err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(env, " "))
}
