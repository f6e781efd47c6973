package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob" // mem://
	_ "gocloud.dev/blob/s3blob"  // s3://
)

// The defaults of [Config].
const (
	DefaultMemoryBytes  = 256 << 20
	DefaultPendingBytes = 64 << 20
	DefaultWriters      = 4
)

// Config says where entries live and how many bytes they may take. The zero
// value keeps entries in memory only.
type Config struct {
	// MemoryBytes bounds the memory tier, keys and bookkeeping counted in; 0 means DefaultMemoryBytes.
	MemoryBytes int64
	// BlobURL names the blob store: a folder (a path or a file:// URL; it is
	// made if absent), s3://bucket?region=…, or mem:// for tests. Empty means none.
	BlobURL string
	// Bucket is used instead of BlobURL when set; the cache does not close it.
	Bucket *blob.Bucket
	// Prefix is put before all keys in the blob store, for example "github.com/scarp-map/scarp/".
	Prefix string
	// FolderBytes bounds the bytes in the store when BlobURL is a folder: the
	// oldest entries are removed when it is exceeded. 0 means no bound. Stores
	// that several machines share are bounded by the store's own lifecycle rules.
	FolderBytes int64
	// PendingBytes bounds what waits to be written to the blob store; Put waits
	// when it is reached. 0 means DefaultPendingBytes.
	PendingBytes int64
	// Writers is how many entries are written at a time; 0 means DefaultWriters.
	Writers int
	// Hooks are called at events, for metrics.
	Hooks Hooks
	// Log gets warnings about the blob store; nil means slog.Default().
	Log *slog.Logger
}

// Hooks are told what happens, for metrics. Any may be nil; they must be quick
// and safe for use by many goroutines.
type Hooks struct {
	// Lookup is called after each Get with the tier and the time that it took.
	Lookup func(key string, tier Tier, took time.Duration)
	// Failed is called when the blob store failed; op is read, write, delete, list or damaged
	// (an entry was there, but not whole).
	Failed func(op, key string, err error)
	// Swept is called after entries were removed to keep the folder within its bound.
	Swept func(entries int, bytes int64)
}

// New opens a cache. Close it to finish writing.
func New(ctx context.Context, c Config) (Cache, error) {
	if c.MemoryBytes == 0 {
		c.MemoryBytes = DefaultMemoryBytes
	}
	if c.PendingBytes == 0 {
		c.PendingBytes = DefaultPendingBytes
	}
	if c.Writers == 0 {
		c.Writers = DefaultWriters
	}
	if c.MemoryBytes < 0 || c.PendingBytes < 0 || c.Writers < 0 || c.FolderBytes < 0 {
		return nil, errors.New("open cache: sizes must not be negative")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	bucket, folder, err := openBucket(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if c.FolderBytes > 0 && !folder {
		return nil, fmt.Errorf("open cache: a bound on the folder's bytes needs a folder, and %q is none", c.BlobURL)
	}
	t := &tiered{memory: NewLRU(c.MemoryBytes, entryCost), log: c.Log, hooks: c.Hooks}
	if bucket != nil {
		t.blobs = newBlobs(bucket, c, t.failed)
	}
	return t, nil
}

// openBucket returns nil where no blob store is configured; folder says that the store is a folder.
func openBucket(ctx context.Context, c Config) (b *blob.Bucket, folder bool, err error) {
	switch {
	case c.Bucket != nil:
		b = c.Bucket
	case c.BlobURL == "":
		return nil, false, nil
	case !strings.Contains(c.BlobURL, "://") || strings.HasPrefix(c.BlobURL, "file://"):
		if b, err = openFolder(c.BlobURL); err != nil {
			return nil, false, err
		}
		folder = true
	default:
		if b, err = blob.OpenBucket(ctx, c.BlobURL); err != nil {
			return nil, false, fmt.Errorf("blob store %s: %w", withoutSecrets(c.BlobURL), err)
		}
	}
	return b, folder, nil
}

func openFolder(ref string) (*blob.Bucket, error) {
	path := ref
	if strings.HasPrefix(ref, "file://") {
		u, err := url.Parse(ref)
		if err != nil {
			return nil, fmt.Errorf("blob store %s: %w", ref, err)
		}
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("blob store %s: a folder's URL has three slashes (file:///var/cache/scarp)", ref)
		}
		path = u.Path
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cache folder %s: %w", ref, err)
	}
	// Written beside their final place and renamed, entries appear whole or not
	// at all; attributes are not kept, so that there is one file an entry.
	b, err := fileblob.OpenBucket(path, &fileblob.Options{
		CreateDir: true, DirFileMode: 0o755, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
	})
	if err != nil {
		return nil, fmt.Errorf("cache folder %s: %w", path, err)
	}
	if f, err := os.CreateTemp(path, ".probe"); err != nil {
		b.Close()
		return nil, fmt.Errorf("cache folder %s can't be written to: %w", path, err)
	} else {
		f.Close()
		os.Remove(f.Name())
	}
	return b, nil
}

// withoutSecrets takes user and query off a URL, for errors.
func withoutSecrets(ref string) string {
	u, err := url.Parse(ref)
	if err != nil {
		return "(unreadable URL)"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
