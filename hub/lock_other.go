//go:build !unix

package hub

import "context"

// locked does without a lock where there is no flock: two who get a file at once write the same bytes.
func locked(context.Context, string) (unlock func(), err error) { return func() {}, nil }
