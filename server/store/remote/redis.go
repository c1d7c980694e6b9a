package remote

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mmrun/mmrun/server/store"
)

// redisStore keeps each blob in a hash with its version, and beside them, for each first part of keys, an index: a
// sorted set of second parts by when they were written. A key enters the index before its blob is written, so that
// none is missing there; what has expired leaves it when somebody looks.
type redisStore struct {
	client *redis.Client
	prefix string
	keep   time.Duration
}

const (
	redisPrefix  = "mmrun"
	redisLargest = 512 << 20 // bytes of a value
	redisPages   = 512       // keys looked at in one go
	indexGrace   = time.Minute
)

// put replaces a blob where the version is still what it was, which "" is where there is none. A second try, whose
// first was done and its answer lost, is none.
var put = redis.NewScript(`
local is = redis.call('HGET', KEYS[1], 'version') or ''
if is == ARGV[2] then return 1 end
if is ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'blob', ARGV[3])
if tonumber(ARGV[4]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) else redis.call('PERSIST', KEYS[1]) end
return 1`)

// openRedis connects to a Redis. Beside what go-redis reads of a URL, prefix=NAME says how keys begin.
func openRedis(u *url.URL, keep time.Duration) (store.Store, error) {
	query := u.Query()
	prefix := cmp.Or(query.Get("prefix"), redisPrefix)
	if strings.ContainsAny(prefix, "{}\x00") {
		return nil, fmt.Errorf("prefix %q has braces", prefix)
	}
	query.Del("prefix")
	plain := *u
	plain.RawQuery = query.Encode()
	o, err := redis.ParseURL(plain.String())
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), plain.String(), shown(u)))
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, 2*time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.ContextTimeoutEnabled = true
	redis.SetLogger(silent{}) // errors are told by those who get them
	return &redisStore{redis.NewClient(o), prefix, keep}, nil
}

// silent is a log that nobody reads.
type silent struct{}

// Printf writes nothing.
func (silent) Printf(context.Context, string, ...any) {}

// away is an error of a Redis that cannot be reached. That there is no socket does not say that there is no blob.
func away(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New(err.Error())
	}
	return err
}

func (s *redisStore) key(key string) string { return s.prefix + ":" + key }

// index is the name of the index with a key, and what stands for the key there.
func (s *redisStore) index(key string) (name, member string) {
	part, member, _ := strings.Cut(key, "/")
	return s.prefix + ":index:" + part, member
}

// Put implements store.Store.
func (s *redisStore) Put(ctx context.Context, key string, blob []byte, was string) error {
	if len(blob) > redisLargest {
		return fmt.Errorf("%w: %d bytes, and a value in Redis has %d", store.ErrFull, len(blob), redisLargest)
	}
	index, member := s.index(key)
	if err := s.client.ZAdd(ctx, index, redis.Z{Score: float64(time.Now().UnixMilli()), Member: member}).Err(); err != nil {
		return fullOr(err)
	}
	done, err := put.Run(ctx, s.client, []string{s.key(key)}, was, rand.Text(), blob, s.keep.Milliseconds()).Int()
	if err == nil && done == 0 {
		return store.ErrChanged
	}
	return fullOr(err)
}

// fullOr is an error that says when Redis has no memory left.
func fullOr(err error) error {
	if err != nil && strings.HasPrefix(err.Error(), "OOM ") {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return away(err)
}

// Open implements store.Store.
func (s *redisStore) Open(ctx context.Context, key string) (io.ReadCloser, string, error) {
	all, err := s.client.HMGet(ctx, s.key(key), "version", "blob").Result()
	if err != nil {
		return nil, "", away(err)
	}
	version, _ := all[0].(string)
	blob, ok := all[1].(string)
	if version == "" || !ok {
		return nil, "", fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(blob)), version, nil
}

// Delete implements store.Store.
func (s *redisStore) Delete(ctx context.Context, key string) error {
	n, err := s.client.Del(ctx, s.key(key)).Result()
	if err == nil && n == 0 {
		return fs.ErrNotExist
	}
	if err != nil {
		return away(err)
	}
	index, member := s.index(key)
	s.client.ZRem(ctx, index, member) // if it fails, the next list does it
	return nil
}

// List implements store.Store.
func (s *redisStore) List(ctx context.Context, part string) ([]string, error) {
	index, _ := s.index(part)
	members, err := s.client.ZRangeWithScores(ctx, index, 0, -1).Result()
	if err != nil {
		return nil, away(err)
	}
	var keys []string
	for len(members) > 0 {
		page := members[:min(redisPages, len(members))]
		members = members[len(page):]
		some, err := s.there(ctx, part, index, page)
		if err != nil {
			return nil, err
		}
		keys = append(keys, some...)
	}
	return keys, nil
}

// there are the keys of a page of an index that there are. Others leave the index, unless they may be just being made.
func (s *redisStore) there(ctx context.Context, part, index string, page []redis.Z) (keys []string, err error) {
	found := make([]*redis.IntCmd, len(page))
	pipe := s.client.Pipeline()
	for i, z := range page {
		found[i] = pipe.Exists(ctx, s.key(part+"/"+z.Member.(string)))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, away(err)
	}
	before := float64(time.Now().Add(-indexGrace).UnixMilli())
	for i, z := range page {
		if found[i].Val() > 0 {
			keys = append(keys, part+"/"+z.Member.(string))
		} else if z.Score < before {
			s.client.ZRem(ctx, index, z.Member)
		}
	}
	return keys, nil
}

// Sweep implements store.Store: Redis removes what is too old itself.
func (s *redisStore) Sweep(context.Context) error { return nil }

// Check implements store.Store.
func (s *redisStore) Check(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// Close implements store.Store.
func (s *redisStore) Close() error { return s.client.Close() }
