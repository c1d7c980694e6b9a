// Package remote has the stores that servers on several machines share: Redis, and buckets of objects.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mmrun/mmrun/server/store"
)

// openPatience bounds how long a store may take to be there when it is opened.
const openPatience = 10 * time.Second

// Open opens the store of a URL, and tries whether it is there. Blobs are kept for so long after they were written;
// 0 is for ever. The URL is redis://, rediss:// or unix:// of a Redis, file:// of a folder, or s3:// or gs:// of a
// bucket. An error does not show the password in it.
func Open(ctx context.Context, address string, keep time.Duration) (store.Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		var wrong *url.Error
		if errors.As(err, &wrong) {
			err = wrong.Err // without the address, in which a password may be
		}
		return nil, fmt.Errorf("the URL of a store: %w", err)
	}
	s, err := open(ctx, u, keep)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, openPatience)
		defer cancel()
		if err = s.Check(ctx); err != nil {
			s.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", shown(u), err)
	}
	return s, nil
}

func open(ctx context.Context, u *url.URL, keep time.Duration) (store.Store, error) {
	switch u.Scheme {
	case "redis", "rediss", "unix":
		return openRedis(u, keep)
	case "file":
		if u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return nil, fmt.Errorf("file:///FOLDER has three slashes")
		}
		return store.NewFolder(u.Path, keep)
	}
	for _, one := range bucketSchemes {
		if u.Scheme == one {
			return openBucket(ctx, u, keep)
		}
	}
	known := append([]string{"redis", "rediss", "unix", "file"}, bucketSchemes...)
	return nil, fmt.Errorf("%q is none of %s", u.Scheme, strings.Join(known, ", "))
}

// shown is a URL without what is secret in it.
func shown(u *url.URL) string {
	plain := *u
	plain.RawQuery, plain.Fragment = "", ""
	return plain.Redacted()
}
