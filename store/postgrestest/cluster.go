package postgrestest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// guard runs the cluster in folder $1 with the programs in $2. The test binary
// holds the other end of its standard input: when that closes, because the
// tests ended or were killed in whatever way, the guard ends the server and
// removes the folder. So nothing is left behind.
const guard = `
"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
	-c full_page_writes=off -c jit=off -c shared_buffers=64MB -c max_connections=100 >"$1/log" 2>&1 </dev/null &
server=$!
while read -r line; do :; done
kill -QUIT "$server"
wait "$server"
rm -rf "$1"
`

// startCluster makes and starts a cluster on a Unix socket in a temporary folder.
func startCluster() (server, error) {
	programs, err := programs()
	if err != nil {
		return server{}, err
	}
	folder, err := os.MkdirTemp("", "scarp-postgres-")
	if err != nil {
		return server{}, err
	}
	s, err := start(programs, folder)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(folder, "log"))
		os.RemoveAll(folder)
		return server{}, fmt.Errorf("%w\n%s", err, log)
	}
	return s, nil
}

func start(programs, folder string) (server, error) {
	attributes, err := asPostgres(folder)
	if err != nil {
		return server{}, err
	}
	initdb := exec.Command(filepath.Join(programs, "initdb"), "-D", filepath.Join(folder, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = attributes, folder
	if out, err := initdb.CombinedOutput(); err != nil {
		return server{}, fmt.Errorf("initdb: %w: %s", err, out)
	}
	shell := exec.Command("/bin/sh", "-c", guard, "scarp-postgres-guard", folder, programs)
	shell.SysProcAttr, shell.Dir = attributes, folder
	if _, err := shell.StdinPipe(); err != nil { // closed by the kernel when this process ends
		return server{}, err
	}
	if err := shell.Start(); err != nil {
		return server{}, fmt.Errorf("start the server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- shell.Wait() }()
	s := server{"postgres:///postgres?" + url.Values{"host": {folder}, "user": {"postgres"}}.Encode()}
	if err := awaitReady(s, ended); err != nil {
		return server{}, err
	}
	// New databases are copies of template1, so they have it too.
	template, err := s.database("template1")
	if err != nil {
		return server{}, err
	}
	return s, run(context.Background(), template, `CREATE EXTENSION postgis`)
}

// awaitReady connects until the server answers.
func awaitReady(s server, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case end := <-ended:
			return fmt.Errorf("the server ended at once: %v", end)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// programs finds the folder with the newest PostgreSQL's initdb and postgres,
// and makes sure that PostGIS is there.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	newest, version := "", 0
	for _, path := range found {
		folder := filepath.Dir(path)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(folder))); err == nil && n > version {
			if extension, _ := filepath.Glob(fmt.Sprintf("/usr/share/postgresql/%d/extension/postgis.control", n)); len(extension) > 0 {
				newest, version = folder, n
			}
		}
	}
	if newest != "" {
		return newest, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil { // other systems have it on the path
		return filepath.Dir(path), nil
	}
	return "", errAbsent
}

// asPostgres is how the server's processes run: in a group of their own, so
// that an interrupt at the terminal does not reach them before the guard does
// its work, and as the user postgres when this process is root, which
// PostgreSQL refuses to run as.
func asPostgres(folder string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attributes, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: PostgreSQL does not run as root, and %w", errAbsent, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("user postgres has no numeric id: %q, %q", u.Uid, u.Gid)
	}
	if err := os.Chown(folder, uid, gid); err != nil {
		return nil, err
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, nil
}
