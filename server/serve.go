package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// Bounds on what a client may keep a connection waiting.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	lastWords     = 5 * time.Second // for clients to take what was written already
)

// Serve answers on a listener until ctx ends. It then refuses what is new, finishes what is under way within drain,
// and returns nil once all is closed. The first model is opened meanwhile; if that fails it is the error.
func (s *Server) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: min(headerTimeout, s.o.ReadTimeout), IdleTimeout: idleTimeout, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	opened := make(chan error, 1)
	go func() { opened <- s.Open(ctx) }()
	swept := make(chan bool)
	go func() { s.sweep(ctx); close(swept) }()
	var err error
wait:
	for {
		select {
		case err = <-served:
			break wait
		case failed := <-opened:
			if failed == nil {
				s.log.Info("ready")
			} else if ctx.Err() == nil {
				err = failed
				break wait
			}
			opened = nil
		case <-ctx.Done():
			break wait
		}
	}
	stop()
	<-swept
	patience, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	s.log.Info("draining", "most", drain)
	s.Drain(patience)
	last, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if srv.Shutdown(last) != nil {
		srv.Close() // somebody does not read
	}
	return errors.Join(err, s.Close())
}

// ServeProfiles answers net/http/pprof's requests on a listener until it is closed.
func ServeProfiles(l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	return srv.Serve(l)
}
