package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"time"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/server/store"
)

var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

func validID(id string) bool { return sessionID.MatchString(id) }

// A session is a named place where a sequence's tokens and state are kept. As a blob it is a magic, the length of
// its description in four bytes, that description as JSON, the SHA-256 of these, and the state as the engine saves it,
// which has a checksum of its own.
type session struct {
	ID      string `json:"id"`
	Tokens  int64  `json:"tokens"`
	Bytes   int64  `json:"bytes"`
	Created int64  `json:"created"` // in seconds since 1970, as Used
	Used    int64  `json:"used"`

	host    *host  // of the model that the state is of
	version string // in the store; empty of a session that is not there
	state   saved
}

// description is a session as clients see it.
type description struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Model   string `json:"model"`
	Tokens  int64  `json:"tokens"`
	Bytes   int64  `json:"bytes"`
	Created int64  `json:"created"`
	Used    int64  `json:"used"`
}

func (v *session) describe() description {
	return description{v.ID, "session", v.host.Name, v.Tokens, v.Bytes, v.Created, v.Used}
}

// codeDamaged is the code of what a client is told of a session that cannot be read.
const codeDamaged = "session_damaged"

const (
	sessionMagic = "mmrun session 2\n"
	maxHeader    = 1 << 16
)

// pack makes the blob of a session.
func (v *session) pack() []byte {
	head, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has numbers and plain strings alone
	}
	out := binary.LittleEndian.AppendUint32([]byte(sessionMagic), uint32(len(head)))
	out = append(out, head...)
	sum := sha256.Sum256(out)
	return append(append(out, sum[:]...), v.state.data...)
}

// damaged is the error of a blob that is no session of ours, or not as it was written.
type damaged struct{ error }

func damage(format string, args ...any) error { return damaged{fmt.Errorf(format, args...)} }

// broken is damage where a blob ends too soon, and the store's error else.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damage("cut short")
	}
	return err
}

// read takes in a blob: the description, and with whole the state, which has to be one of a model.
func (v *session) read(r io.Reader, whole bool, model [32]byte) error {
	out := make([]byte, len(sessionMagic)+4)
	if _, err := io.ReadFull(r, out); err != nil {
		return broken(err)
	}
	n := binary.LittleEndian.Uint32(out[len(sessionMagic):])
	if string(out[:len(sessionMagic)]) != sessionMagic || n > maxHeader {
		return damage("not a session of this program's version")
	}
	out = append(out, make([]byte, n+sha256.Size)...)
	if _, err := io.ReadFull(r, out[len(sessionMagic)+4:]); err != nil {
		return broken(err)
	}
	head := out[:len(out)-sha256.Size]
	if sum := sha256.Sum256(head); !bytes.Equal(sum[:], out[len(head):]) {
		return damage("its description was altered")
	}
	id := v.ID
	if err := json.Unmarshal(head[len(sessionMagic)+4:], v); err != nil || v.ID != id {
		return damage("its description is one of %q", v.ID)
	}
	if !whole {
		return nil
	}
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(r, v.Bytes+1)); err != nil {
		return err
	}
	return v.check(data.Bytes(), model)
}

// check takes in the bytes of a state, if they are those that the description says.
func (v *session) check(data []byte, model [32]byte) error {
	h, err := engine.ReadSaved(data)
	switch {
	case err != nil:
		return damaged{err}
	case h.Model != model:
		return damage("it is of another model")
	case h.Position != v.Tokens || h.Bytes != v.Bytes:
		return damage("a state of %d tokens in %d bytes, and not of %d in %d", h.Position, h.Bytes, v.Tokens, v.Bytes)
	}
	v.state = saved{trace{h.Position, h.Tokens}, data}
	return nil
}

// put takes a state into the session.
func (v *session) put(s *saved) {
	v.Tokens, v.Bytes, v.state = s.at, int64(len(s.data)), *s
}

// sessionPart is the part of the store where the sessions of a model are: states of different models never meet, whatever they are called.
func sessionPart(model [32]byte) string { return hex.EncodeToString(model[:8]) }

// storePatience bounds how long a request waits for the store.
const storePatience = 30 * time.Second

// loadSession reads a session from the store. One that is damaged comes with its error.
func (s *Server) loadSession(ctx context.Context, id string, whole bool) (*session, error) {
	if !validID(id) {
		return nil, badID(id)
	}
	var failed error
	for _, h := range s.hosts {
		v, err := s.loadOf(ctx, h, id, whole)
		switch {
		case err == nil || v != nil:
			return v, err
		case !errors.Is(err, fs.ErrNotExist):
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil {
		failed = fs.ErrNotExist
	}
	return nil, storeProblem(id, failed)
}

// loadOf reads a session of one model; with an error and no session, there may be one of another.
func (s *Server) loadOf(ctx context.Context, h *host, id string, whole bool) (*session, error) {
	model, err := h.fingerprint(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	r, version, err := s.store.Open(ctx, sessionPart(model)+"/"+id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	v := &session{ID: id, host: h, version: version}
	if err := v.read(r, whole, model); err != nil {
		return v, storeProblem(id, err)
	}
	return v, nil
}

// saveSession writes a session to the store, where it is still as it was read.
func (s *Server) saveSession(ctx context.Context, v *session) error {
	model, err := v.host.fingerprint(ctx)
	if err != nil {
		return err
	}
	v.Used = time.Now().Unix()
	if v.Created == 0 {
		v.Created = v.Used
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	err = s.store.Put(ctx, sessionPart(model)+"/"+v.ID, v.pack(), v.version)
	if errors.Is(err, store.ErrChanged) && v.version == "" {
		err = fs.ErrExist
	}
	return storeProblem(v.ID, err)
}

// removeSession removes a session from the store.
func (s *Server) removeSession(ctx context.Context, h *host, id string) error {
	model, err := h.fingerprint(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return storeProblem(id, s.store.Delete(ctx, sessionPart(model)+"/"+id))
}

func badID(id string) *problem {
	return badField("id", "%q is not an id: 1 to 64 of A-Z a-z 0-9 . _ -, without a dot in front", id)
}

// storeProblem is what a client is told of an error of the store.
func storeProblem(id string, err error) error {
	var own damaged
	var p *problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return &problem{status: http.StatusInternalServerError, kind: kindServer, code: codeDamaged, param: "session",
			message: fmt.Sprintf("session %q cannot be read: %v; it may be replaced or deleted", id, own.error)}
	case errors.Is(err, store.ErrChanged):
		p = refuse(http.StatusConflict, "session_changed", "session %q was changed at another server meanwhile; ask again to go on from there", id)
		p.param = "session"
	case errors.Is(err, fs.ErrNotExist):
		p = refuse(http.StatusNotFound, "session_not_found", "there is no session %q", id)
		p.param = "session"
	case errors.Is(err, fs.ErrExist):
		p = refuse(http.StatusConflict, "session_exists", "there is a session %q already", id)
		p.param = "id"
	case errors.Is(err, store.ErrFull):
		p = &problem{status: http.StatusInsufficientStorage, kind: kindServer, code: "sessions_full",
			message: "there is no room for another session: in memory within --state-cache, in --state-dir or in the --state-store"}
	default:
		p = unavailable("the store of sessions cannot be used now", 1)
		p.code = "store_unavailable"
	}
	return fmt.Errorf("session %s: %w: %w", id, p, err)
}
