package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve opens the backend, listens, and answers until ctx ends; then it stops
// gracefully: no new connections, requests under way get the shutdown timeout,
// running jobs are handed back. listening, if not nil, is called with the
// address once the server answers.
func Serve(ctx context.Context, c Config, log *slog.Logger, listening func(net.Addr)) (err error) {
	backend, err := OpenBackend(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	handler, health, err := NewHandler(backend)
	if err != nil {
		return err
	}
	if err := backend.Start(ctx); err != nil {
		return fmt.Errorf("start working on jobs: %w", err)
	}

	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (another program may use the port: choose one with --listen)", c.Listen, err)
	}
	requests, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRequests()
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	if len(c.APIKeys) == 0 {
		log.Warn("no API keys are set: everybody who reaches this server may start jobs and change events; set api-keys to change that")
	}
	if listening != nil {
		listening(listener.Addr())
	}

	failed := make(chan error, 1)
	go func() { failed <- s.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", c.Listen, err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	health.stopping.Store(true)
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownTimeout)
	defer cancel()
	if err := s.Shutdown(timeout); err != nil {
		cancelRequests() // what still runs after the timeout is stopped
		return errors.Join(fmt.Errorf("requests were under way after %s: %w", c.ShutdownTimeout, err), s.Close())
	}
	return nil
}
