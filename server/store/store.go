// Package store keeps blobs by key for several servers at a time: in a folder, or over any place that lists objects
// and makes one only where there is none. Package remote has Redis and buckets.
package store

import (
	"context"
	"errors"
	"io"
)

// A Store keeps blobs by key. A key has two parts with a slash between, of letters, digits and . _ -, neither with a
// dot in front. Several goroutines use a store at a time, and several programs may share what it stands for. A blob is
// written as a whole or not at all.
type Store interface {
	// Put writes a blob where the version is still was; an empty one says that there is no blob of that key.
	// ErrChanged says that it is otherwise, ErrFull that there is no room.
	Put(ctx context.Context, key string, blob []byte, was string) error
	// Open reads a blob and says its version; an error that is fs.ErrNotExist says that there is none.
	Open(ctx context.Context, key string) (blob io.ReadCloser, version string, err error)
	// Delete removes a blob, of whatever version; an error that is fs.ErrNotExist says that there is none.
	Delete(ctx context.Context, key string) error
	// List names all keys that have this first part.
	List(ctx context.Context, part string) ([]string, error)
	// Sweep removes what was not written for longer than the store keeps it, and what interrupted writes left.
	Sweep(ctx context.Context) error
	// Check says whether the store can be used now.
	Check(ctx context.Context) error
	// Close gives back what the store holds.
	Close() error
}

// ErrFull says that a store has no room for a blob.
var ErrFull = errors.New("there is no room for it")

// ErrChanged says that a blob is not of the version that it was to be replaced at.
var ErrChanged = errors.New("it was changed meanwhile")
