package server

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/airbusgeo/godal"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/analysis"
	"github.com/scarp-map/scarp/jobs/callback"
	"github.com/scarp-map/scarp/jobs/echo"
	"github.com/scarp-map/scarp/store"
)

// processes are what jobs can do beside mapping. What clients refer to must lie
// in the places that events may refer to.
func (c Config) processes(s store.Store) map[string]jobs.Process {
	files := c.Imagery()
	sources := analysis.Sources{Store: s, Locate: files.Locate}
	return map[string]jobs.Process{
		"assess-impact":     analysis.Impact(sources),
		"compare-inventory": analysis.Compare(sources),
		"echo":              echo.Process(func(_ context.Context, href string) (io.ReadCloser, error) { return openReference(files, href) }),
	}
}

func openReference(files imagery.Options, href string) (io.ReadCloser, error) {
	path, err := files.Locate(href)
	if err != nil {
		return nil, err
	}
	if err := imagery.Setup(files.BlockCache); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/vsi") {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a file", href)
		}
	}
	f, err := godal.VSIOpen(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", href, err)
	}
	return f, nil
}

// callbacks returns what sends callbacks; it refuses all where no host is allowed.
func (c Config) callbacks() (*callback.Sender, error) {
	var networks []netip.Prefix
	for _, n := range c.CallbackNets {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("setting callback-networks: %w", err)
		}
		networks = append(networks, p)
	}
	s, err := callback.New(callback.Options{Hosts: c.CallbackHosts, Networks: networks, Secret: c.CallbackSecret})
	if err != nil {
		return nil, fmt.Errorf("setting callback-hosts: %w", err)
	}
	return s, nil
}
