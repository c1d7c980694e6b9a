package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"
)

// partEnding is that of a file that has not come to its end.
const partEnding = ".incomplete"

// tries is how often something is asked for that brings nothing.
const tries = 5

// persist tries until there is success, or tries times in a row brought nothing. Answers of the Hub that say no are
// final. more says that a try brought something.
func (h *Hub) persist(ctx context.Context, try func() (more bool, err error)) error {
	for n := 1; ; n++ {
		more, err := try()
		var answer *Error
		final := errors.As(err, &answer) && answer.Status < 500 || errors.As(err, new(*wrongFile)) || errors.As(err, new(*fs.PathError))
		if err == nil || final || ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if more {
			n = 0
		}
		if n == tries {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(h.pause << max(0, n-1)):
		}
	}
}

// wrongFile is a file that is another than the Hub says.
type wrongFile struct{ what, got, want string }

func (e *wrongFile) Error() string {
	return fmt.Sprintf("its %s is %s, and %s by the Hub's word; what came was thrown away", e.what, e.got, e.want)
}

// fetch gets a file's content, from where it was left.
func (p *pull) fetch(ctx context.Context, f *file, blob string) error {
	part := blob + partEnding
	began := fileSize(part) > 0
	for {
		err := p.hub.persist(ctx, func() (bool, error) { return p.receive(ctx, f, part) })
		if err == nil {
			err = checkHash(part, f)
		}
		if err == nil {
			return os.Rename(part, blob)
		}
		if !errors.As(err, new(*wrongFile)) {
			return err
		}
		if gone := os.Remove(part); gone != nil || !began {
			return errors.Join(err, gone)
		}
		began = false // what was there from before may have been of something else: once more from the start
	}
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// receive appends what is missing to a part, as far as it comes.
func (p *pull) receive(ctx context.Context, f *file, part string) (more bool, err error) {
	have := fileSize(part)
	if have > f.size {
		have = 0
	}
	if have == f.size && f.size > 0 {
		return false, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from := ""
	if have > 0 {
		from = fmt.Sprintf("bytes=%d-", have)
	}
	answer, err := p.hub.send(ctx, http.MethodGet, p.address(f.name), from, false)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusOK:
		have = 0 // all of it comes
	case answer.StatusCode == http.StatusPartialContent && beginsAt(answer, have):
	case answer.StatusCode == http.StatusPartialContent, answer.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return false, errors.Join(fmt.Errorf("%s sent another range than was asked for", answer.Request.URL.Host), os.Remove(part))
	default:
		return false, p.hub.refused(Name{p.name.Owner, p.name.Model, f.name}, answer)
	}
	out, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return false, err
	}
	err = out.Truncate(have)
	if err == nil {
		_, err = out.Seek(have, io.SeekStart)
	}
	if err == nil {
		have, err = p.copy(out, answer.Body, have, f.size, cancel)
		more, f.most = have > f.most, max(f.most, have)
	}
	if context.Cause(ctx) == errStalled {
		err = errStalled
	}
	if err2 := out.Close(); err == nil {
		err = err2
	}
	return more, err
}

func beginsAt(answer *http.Response, at int64) bool {
	var first int64
	_, err := fmt.Sscanf(answer.Header.Get("Content-Range"), "bytes %d-", &first)
	return err == nil && first == at
}

var errStalled = errors.New("the connection sent nothing for a while")

// copy takes in what comes, and gives up a connection that stalls. It gives how many bytes there are then.
func (p *pull) copy(out io.Writer, body io.Reader, have, size int64, cancel context.CancelCauseFunc) (int64, error) {
	watch := time.AfterFunc(p.hub.stall, func() { cancel(errStalled) })
	defer watch.Stop()
	room := make([]byte, 1<<18)
	for {
		n, err := body.Read(room)
		watch.Reset(p.hub.stall)
		if have+int64(n) > size {
			return have, &wrongFile{"size", "larger", fmt.Sprintf("%d bytes", size)}
		}
		if _, failed := out.Write(room[:n]); failed != nil {
			return have, failed
		}
		have += int64(n)
		p.tell(have)
		switch {
		case err == io.EOF && have < size:
			return have, fmt.Errorf("%d of %d bytes: %w", have, size, io.ErrUnexpectedEOF)
		case err == io.EOF:
			return have, nil
		case err != nil:
			return have, fmt.Errorf("%d of %d bytes: %w", have, size, err)
		}
	}
}

// checkHash holds a file against the hash that it is called by: SHA-256 of large files, and Git's SHA-1 of others.
func checkHash(path string, f *file) error {
	var h hash.Hash
	kind := "SHA-256"
	switch len(f.tag) {
	case 2 * sha256.Size:
		h = sha256.New()
	case 2 * sha1.Size:
		h, kind = sha1.New(), "SHA-1"
		fmt.Fprintf(h, "blob %d\x00", f.size)
	default:
		return fmt.Errorf("%q is no hash that it could be held against", f.tag)
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := io.Copy(h, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != f.tag {
		return &wrongFile{kind, got, f.tag}
	}
	return nil
}
