// Package hub gets models from the Hugging Face Hub into the Hub's own cache, and finds there what this or other
// programs put into it: Python's huggingface_hub keeps the same files in the same places.
//
// A repository's files lie in blobs/ by their hash, and snapshots/ has for every commit links to them by their names;
// refs/ says which commit a branch is at. What is there needs no network.
package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A Hub is one that models come from, and the cache that they go to.
type Hub struct {
	Endpoint string       // such as https://huggingface.co
	Token    string       // of the user, which is sent to the endpoint alone; may be empty
	Cache    string       // a folder
	Offline  bool         // nothing is asked of the endpoint
	Client   *http.Client // makes the requests; it must not follow redirects by itself

	stall time.Duration // after which a connection that sends nothing is given up
	pause time.Duration // before the second try; twice as long before each further one
}

// FromEnv is the Hub that the variables of Hugging Face's library say: HF_ENDPOINT, HF_TOKEN (or the file where its
// login leaves it), HF_HUB_CACHE, HF_HOME and HF_HUB_OFFLINE.
func FromEnv() (*Hub, error) {
	home := os.Getenv("HF_HOME")
	cache := cmp.Or(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"))
	if home == "" && cache == "" {
		base := os.Getenv("XDG_CACHE_HOME")
		if base == "" {
			user, err := os.UserHomeDir()
			if err != nil {
				return nil, fmt.Errorf("where the cache is: %w; HF_HOME says it", err)
			}
			base = filepath.Join(user, ".cache")
		}
		home = filepath.Join(base, "huggingface")
	}
	h := New(cmp.Or(os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), cmp.Or(cache, filepath.Join(home, "hub")))
	h.Offline = isTrue("HF_HUB_OFFLINE") || isTrue("TRANSFORMERS_OFFLINE")
	h.Token = strings.TrimSpace(cmp.Or(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN")))
	if h.Token == "" && home != "" && !isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		data, err := os.ReadFile(cmp.Or(os.Getenv("HF_TOKEN_PATH"), filepath.Join(home, "token")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the token: %w", err)
		}
		h.Token = strings.TrimSpace(string(data))
	}
	u, err := url.Parse(h.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("HF_ENDPOINT: %q is no address such as https://huggingface.co", h.Endpoint)
	}
	return h, nil
}

func isTrue(variable string) bool {
	switch strings.ToLower(os.Getenv(variable)) {
	case "1", "on", "yes", "true":
		return true
	}
	return false
}

// New is a Hub at an address with a cache, without a token.
func New(endpoint, cache string) *Hub {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // sizes and ranges are of the files
	transport.ResponseHeaderTimeout = time.Minute
	return &Hub{
		Endpoint: strings.TrimRight(endpoint, "/"), Cache: cache, stall: time.Minute, pause: time.Second / 2,
		Client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// A Name is a model of the Hub, or a file of it: OWNER/NAME or OWNER/NAME:FILE.
type Name struct{ Owner, Model, File string }

var nameForm = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9._-]+)(?::(.+))?$`)

// ParseName reads the name of a model of the Hub.
func ParseName(text string) (Name, error) {
	m := nameForm.FindStringSubmatch(text)
	switch {
	case m == nil, strings.Contains(text, ".."), strings.Contains(m[1]+"/"+m[2], "--"), strings.HasPrefix(m[2], "."):
		return Name{}, fmt.Errorf("%q is no name of a model on the Hub, which is OWNER/NAME or OWNER/NAME:FILE", text)
	case m[3] != "" && !isPlain(m[3]):
		return Name{}, fmt.Errorf("%q is no name of a file within a model", m[3])
	}
	return Name{m[1], m[2], m[3]}, nil
}

// isPlain says whether a file's name stays within its folder, on any system.
func isPlain(file string) bool {
	return fs.ValidPath(file) && file != "." && !strings.ContainsAny(file, `\:`) && !strings.ContainsRune(file, 0)
}

// Repo is the name without a file.
func (n Name) Repo() string { return n.Owner + "/" + n.Model }

// String is the name as it is written.
func (n Name) String() string {
	if n.File == "" {
		return n.Repo()
	}
	return n.Repo() + ":" + n.File
}
