package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// connections is how many clients ask at the same time.
const connections = 8

// requestsPerSecond asks for a URL over a few kept connections for as long as
// told. The client does next to nothing, so that the server's cost is what shows.
func requestsPerSecond(ctx context.Context, target string, during time.Duration) (float64, error) {
	u, err := url.Parse(target)
	if err != nil {
		return 0, err
	}
	request := []byte("GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nAccept: image/png\r\n\r\n")
	counts := make([]int, connections)
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range connections {
		g.Go(func() (err error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, connection.Close()) }()
			answers := bufio.NewReaderSize(connection, 64<<10)
			for time.Since(start) < during && ctx.Err() == nil {
				if _, err := connection.Write(request); err != nil {
					return err
				}
				if err := skipAnswer(answers); err != nil {
					return fmt.Errorf("answer of %s: %w", target, err)
				}
				counts[i]++
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(start).Seconds(), nil
}

// skipAnswer reads one answer that has a Content-Length.
func skipAnswer(r *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("status %s", line)
		}
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("no Content-Length")
	}
	_, err := io.CopyN(io.Discard, r, int64(length))
	return err
}

// memory returns what the process holds now and the most it ever held, in bytes (Linux).
func memory() (resident, peak int64, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, fmt.Errorf("read memory use: %w", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) != 2 {
			continue
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			resident = kib << 10
		case "VmHWM":
			peak = kib << 10
		}
	}
	return resident, peak, nil
}

// resetPeak makes the kernel forget the peak so far.
func resetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
