package server

import (
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"path"
)

// pageFiles are what a browser gets.
//
//go:embed page
var pageFiles embed.FS

// pageRoutes are the files of the page, with index.html at the root.
func pageRoutes() []route {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // it is a folder of ours
	}
	var routes []route
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		at := "/" + name
		if name == "index.html" {
			at = "/"
		}
		routes = append(routes, route{at, true, map[string]handler{"GET": pageFile(name, data)}})
		return err
	})
	if err != nil {
		panic(err)
	}
	return routes
}

// pagePolicy lets the page's own scripts and styles run and ask this server, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// pageFile answers with a file. A page may load nothing from elsewhere.
func pageFile(name string, data []byte) handler {
	kind := mime.TypeByExtension(path.Ext(name))
	return func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		w.Write(data)
		return nil
	}
}
