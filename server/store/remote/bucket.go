package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/mmrun/mmrun/server/store"
)

// bucket has objects in a bucket of gocloud.dev, whose URLs and credentials it reads.
type bucket struct{ b *blob.Bucket }

// bucketPrefix begins the names of all objects, so that a bucket may have others.
const bucketPrefix = "mmrun-sessions/"

func openBucket(ctx context.Context, u *url.URL, keep time.Duration) (store.Store, error) {
	b, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, err
	}
	return store.OverObjects(&bucket{blob.PrefixedBucket(b, bucketPrefix)}, keep), nil
}

// known is an error as this program's packages know it.
func known(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return fmt.Errorf("%w: %w", fs.ErrExist, err)
	case gcerrors.ResourceExhausted:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// Create implements store.Objects.
func (b *bucket) Create(ctx context.Context, name string, data []byte) error {
	return known(b.b.WriteAll(ctx, name, data, &blob.WriterOptions{ContentType: "application/octet-stream", IfNotExist: true}))
}

// Clear implements store.Objects.
func (b *bucket) Clear(ctx context.Context, name string) error {
	return known(b.b.WriteAll(ctx, name, nil, &blob.WriterOptions{ContentType: "application/octet-stream"}))
}

// Open implements store.Objects.
func (b *bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.b.NewReader(ctx, name, nil)
	if err != nil {
		return nil, known(err)
	}
	return r, nil
}

// Remove implements store.Objects.
func (b *bucket) Remove(ctx context.Context, name string) error {
	if err := known(b.b.Delete(ctx, name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements store.Objects.
func (b *bucket) List(ctx context.Context, prefix string) (all []store.Object, err error) {
	list := b.b.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, store.Object{Name: o.Key, Size: o.Size, Written: o.ModTime})
	}
}

// Check implements store.Objects.
func (b *bucket) Check(ctx context.Context) error {
	ok, err := b.b.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("there is no such bucket, or it may not be read")
	}
	return err
}

// Close implements store.Objects.
func (b *bucket) Close() error { return b.b.Close() }
