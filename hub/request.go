package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

// maxRedirects bounds those of one request, and maxAnswer the bytes of an answer that is no file.
const (
	maxRedirects = 10
	maxAnswer    = 64 << 20
)

// An Error is an answer of the Hub, or of a host of files, that is none to what was asked.
type Error struct {
	Status int    // of HTTP
	Text   string // what it means, and what to do
}

func (e *Error) Error() string { return e.Text }

// Is says that something is not there where that is what the answer says.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && e.Status == http.StatusNotFound
}

// own says whether an address is the Hub's: the same host, port and scheme. Only there the token goes.
func (h *Hub) own(u *url.URL) bool {
	hub, err := url.Parse(h.Endpoint)
	return err == nil && u.Scheme == hub.Scheme && strings.EqualFold(u.Host, hub.Host)
}

// send makes a request, follows redirects, and gives the last answer. With stay it stops at one that leaves the Hub.
func (h *Hub) send(ctx context.Context, method, address, from string, stay bool) (*http.Response, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	for range maxRedirects {
		r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("User-Agent", "mmrun")
		r.Header.Set("Accept-Encoding", "identity")
		if from != "" {
			r.Header.Set("Range", from)
		}
		if h.Token != "" && h.own(u) {
			r.Header.Set("Authorization", "Bearer "+h.Token)
		}
		answer, err := h.Client.Do(r)
		if err != nil {
			return nil, shorter(err)
		}
		to := answer.Header.Get("Location")
		if answer.StatusCode/100 != 3 || to == "" {
			return answer, nil
		}
		next, err := u.Parse(to)
		if err == nil && next.Scheme != "https" && next.Scheme != "http" {
			err = fmt.Errorf("a redirect to %q", to)
		}
		if err == nil && stay && !h.own(next) {
			return answer, nil
		}
		answer.Body.Close()
		if err != nil {
			return nil, err
		}
		u = next
	}
	return nil, fmt.Errorf("more than %d redirects", maxRedirects)
}

// shorter is an error of a request without the address, which may have a signature in it.
func shorter(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if at, parsed := url.Parse(u.URL); parsed == nil {
			return fmt.Errorf("%s: %w", at.Host, u.Err)
		}
		return u.Err
	}
	return err
}

// refused is what an answer means that is no success, and what to do.
func (h *Hub) refused(n Name, answer *http.Response) error {
	code, said := answer.Header.Get("X-Error-Code"), answer.Header.Get("X-Error-Message")
	if said != "" {
		said = ": " + strings.TrimRight(said, ".")
	}
	e := &Error{Status: answer.StatusCode}
	token := "HF_TOKEN is not set"
	if h.Token != "" {
		token = "the token of HF_TOKEN does not open it"
	}
	switch {
	case code == "GatedRepo" || answer.StatusCode == http.StatusForbidden:
		e.Text = fmt.Sprintf("%s is gated%s; ask for access at %s/%s and set HF_TOKEN", n.Repo(), said, h.Endpoint, n.Repo())
	case answer.StatusCode == http.StatusUnauthorized || code == "RepoNotFound":
		e.Status = http.StatusNotFound
		e.Text = fmt.Sprintf("%s: there is no such model at %s, or it is private (%s)", n.Repo(), h.Endpoint, token)
	case answer.StatusCode == http.StatusNotFound:
		e.Text = fmt.Sprintf("%s is not at %s", n, h.Endpoint)
	case answer.StatusCode == http.StatusTooManyRequests:
		e.Text = fmt.Sprintf("%s: %s asks for patience (429 Too Many Requests); go on later", n, answer.Request.URL.Host)
	default:
		e.Text = fmt.Sprintf("%s: %s answers %s%s", n, answer.Request.URL.Host, answer.Status, said)
	}
	return e
}

// listing is what the Hub says of a model.
type listing struct {
	Commit string `json:"sha"`
	Files  []struct {
		Name string `json:"rfilename"`
	} `json:"siblings"`
}

// list asks which files a model has.
func (h *Hub) list(ctx context.Context, n Name) (*listing, error) {
	answer, err := h.send(ctx, http.MethodGet, fmt.Sprintf("%s/api/models/%s/revision/main", h.Endpoint, n.Repo()), "", false)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, h.refused(n, answer)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	var l listing
	if err := json.Unmarshal(data, &l); err != nil || !isCommit(l.Commit) {
		return nil, fmt.Errorf("%s: the list of files from %s makes no sense", n.Repo(), h.Endpoint)
	}
	return &l, nil
}
