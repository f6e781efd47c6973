package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/scarp-map/scarp/cache"
)

func open(t *testing.T, c cache.Config) cache.Cache {
	t.Helper()
	ca, err := cache.New(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { ca.Close() })
	return ca
}

func get(t *testing.T, c cache.Cache, key string) (string, cache.Tier) {
	t.Helper()
	e, tier, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	return string(e.Value), tier
}

func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			paths = append(paths, p)
		}
		return err
	}))
	return paths
}

func TestMemoryOnly(t *testing.T) {
	c := open(t, cache.Config{MemoryBytes: 10_000})
	_, tier := get(t, c, "a/b")
	assert.Equal(t, cache.Miss, tier)
	require.NoError(t, c.Put(t.Context(), "a/b", []byte("one")))
	v, tier := get(t, c, "a/b")
	assert.Equal(t, "one", v)
	assert.Equal(t, cache.Memory, tier)
	require.NoError(t, c.DeletePrefix(t.Context(), "a/"))
	_, tier = get(t, c, "a/b")
	assert.Equal(t, cache.Miss, tier)
}

func TestMemoryIsBoundedInBytesAndDropsTheLeastRecentlyUsed(t *testing.T) {
	c := open(t, cache.Config{MemoryBytes: 10_000})
	for i := range 100 {
		require.NoError(t, c.Put(t.Context(), fmt.Sprint("k", i), make([]byte, 1000)))
		get(t, c, "k0")
		used, limit := c.Bytes()
		require.LessOrEqual(t, used, limit)
	}
	_, tier := get(t, c, "k0")
	assert.Equal(t, cache.Memory, tier, "used each time")
	_, tier = get(t, c, "k50")
	assert.Equal(t, cache.Miss, tier)
	require.NoError(t, c.Put(t.Context(), "big", make([]byte, 20_000)))
	_, tier = get(t, c, "big")
	assert.Equal(t, cache.Miss, tier, "larger than the bound")
}

func TestFolderKeepsEntriesAcrossRuns(t *testing.T) {
	dir := t.TempDir()
	before := time.Now().Add(-time.Second)
	c := open(t, cache.Config{BlobURL: dir})
	require.NoError(t, c.Put(t.Context(), "rev/model/0/1/2", []byte("block")))
	require.NoError(t, c.Put(t.Context(), "rev/model/0/1/3", []byte{}))
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.Put(t.Context(), "x", nil), cache.ErrClosed)
	assert.Len(t, files(t, dir), 2, "a file an entry, and no other")

	c = open(t, cache.Config{BlobURL: "file://" + dir})
	e, tier, err := c.Get(t.Context(), "rev/model/0/1/2")
	require.NoError(t, err)
	assert.Equal(t, "block", string(e.Value))
	assert.Equal(t, cache.Blob, tier)
	assert.WithinRange(t, e.Modified, before, time.Now().Add(time.Second))
	_, tier = get(t, c, "rev/model/0/1/2")
	assert.Equal(t, cache.Memory, tier)
	_, tier = get(t, c, "rev/model/0/1/3")
	assert.Equal(t, cache.Blob, tier, "empty values are values")
}

// Whatever happens to a file: the entry counts as absent, the file goes, and it can be written again.
func TestDamagedFilesCountAsAbsent(t *testing.T) {
	damages := map[string]func(path string, content []byte) error{
		"cut short":  func(p string, b []byte) error { return os.WriteFile(p, b[:len(b)-3], 0o644) },
		"empty":      func(p string, b []byte) error { return os.WriteFile(p, nil, 0o644) },
		"only magic": func(p string, b []byte) error { return os.WriteFile(p, b[:8], 0o644) },
		"one bit":    func(p string, b []byte) error { b[len(b)-1] ^= 1; return os.WriteFile(p, b, 0o644) },
		"longer":     func(p string, b []byte) error { return os.WriteFile(p, append(b, 'x'), 0o644) },
		"length":     func(p string, b []byte) error { b[8] = 0xff; return os.WriteFile(p, b, 0o644) },
		"alien": func(p string, b []byte) error {
			return os.WriteFile(p, []byte("PNG or whatever it may be, long enough"), 0o644)
		},
		"another entry's": func(p string, b []byte) error {
			other, err := os.ReadFile(filepath.Join(filepath.Dir(p), "other"))
			if err != nil {
				return err
			}
			return os.WriteFile(p, other, 0o644)
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := open(t, cache.Config{BlobURL: dir})
			require.NoError(t, c.Put(t.Context(), "a/key", bytes.Repeat([]byte("value"), 100)))
			require.NoError(t, c.Put(t.Context(), "a/other", []byte("other")))
			require.NoError(t, c.Close())
			path := filepath.Join(dir, "a", "key")
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, damage(path, content))

			var failures []string
			c = open(t, cache.Config{BlobURL: dir, Hooks: cache.Hooks{Failed: func(op, _ string, _ error) { failures = append(failures, op) }}})
			_, tier := get(t, c, "a/key")
			assert.Equal(t, cache.Miss, tier)
			assert.Equal(t, []string{"damaged"}, failures)
			assert.NoFileExists(t, path)
			require.NoError(t, c.Put(t.Context(), "a/key", []byte("again")))
			require.NoError(t, c.Close())
			c = open(t, cache.Config{BlobURL: dir})
			v, tier := get(t, c, "a/key")
			assert.Equal(t, "again", v)
			assert.Equal(t, cache.Blob, tier)
		})
	}
}

func TestFolderIsSweptOldestFirst(t *testing.T) {
	dir := t.TempDir()
	c := open(t, cache.Config{BlobURL: dir})
	old := time.Now().Add(-time.Hour)
	for i := range 10 {
		require.NoError(t, c.Put(t.Context(), fmt.Sprint("k", i), make([]byte, 1000)))
	}
	require.NoError(t, c.Close())
	for i := range 10 {
		at := old.Add(time.Duration(i) * time.Minute)
		require.NoError(t, os.Chtimes(filepath.Join(dir, fmt.Sprint("k", i)), at, at))
	}
	var swept int
	c, err := cache.New(t.Context(), cache.Config{BlobURL: dir, FolderBytes: 6000, Hooks: cache.Hooks{Swept: func(n int, _ int64) { swept += n }}})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	left := files(t, dir)
	require.NotEmpty(t, left)
	var size int64
	for _, f := range left {
		st, err := os.Stat(f)
		require.NoError(t, err)
		size += st.Size()
	}
	assert.LessOrEqual(t, size, int64(6000))
	assert.Equal(t, 10, len(left)+swept)
	assert.FileExists(t, filepath.Join(dir, "k9"))
	assert.NoFileExists(t, filepath.Join(dir, "k0"))
}

func TestDeletePrefixDropsOnlyWhatIsUnderIt(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer bucket.Close()
	c := open(t, cache.Config{Bucket: bucket, Prefix: "github.com/scarp-map/scarp/"})
	for _, k := range []string{"a/1", "a/2", "ab/1", "b/1"} {
		require.NoError(t, c.Put(t.Context(), k, []byte(k)))
	}
	require.NoError(t, c.DeletePrefix(t.Context(), "a/"))
	require.NoError(t, c.Close())
	c = open(t, cache.Config{Bucket: bucket, Prefix: "github.com/scarp-map/scarp/"})
	for key, want := range map[string]cache.Tier{"a/1": cache.Miss, "a/2": cache.Miss, "ab/1": cache.Blob, "b/1": cache.Blob} {
		_, tier := get(t, c, key)
		assert.Equal(t, want, tier, key)
	}
	ok, err := bucket.Exists(t.Context(), "github.com/scarp-map/scarp/b/1")
	require.NoError(t, err)
	assert.True(t, ok, "keys carry the prefix")
}

func TestKeysThatAreNoNamesAreRefused(t *testing.T) {
	c := open(t, cache.Config{BlobURL: t.TempDir()})
	for _, key := range []string{"", "/", "a//b", "/a", "a/", "../x", "a/../b", ".hidden", "a b", "a\x00", "ä", "a\\b", strings.Repeat("a", 513)} {
		_, _, err := c.Get(t.Context(), key)
		assert.ErrorIs(t, err, cache.ErrBadKey, "%q", key)
		assert.ErrorIs(t, c.Put(t.Context(), key, nil), cache.ErrBadKey, "%q", key)
	}
	assert.ErrorIs(t, c.DeletePrefix(t.Context(), ""), cache.ErrBadKey)
}

func TestManyAtOnce(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer bucket.Close()
	c := open(t, cache.Config{Bucket: bucket, MemoryBytes: 5000, PendingBytes: 3000, Writers: 2})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				key := fmt.Sprintf("k/%d", (i+w)%20)
				if err := c.Put(t.Context(), key, []byte(strings.Repeat(key, 50))); err != nil {
					t.Error(err)
				}
				e, tier, err := c.Get(t.Context(), key)
				if err != nil || tier == cache.Miss || string(e.Value) != strings.Repeat(key, 50) {
					t.Errorf("%s: %v %v", key, tier, err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.Close())
	c = open(t, cache.Config{Bucket: bucket})
	for i := range 20 {
		_, tier := get(t, c, fmt.Sprintf("k/%d", i))
		assert.Equal(t, cache.Blob, tier)
	}
}

func TestEndedContextEndsTheCall(t *testing.T) {
	c := open(t, cache.Config{BlobURL: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := c.Get(ctx, "absent")
	assert.True(t, errors.Is(err, context.Canceled))
}

func TestConfigurationErrorsSayWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for want, c := range map[string]cache.Config{
		"needs a folder":       {BlobURL: "mem://", FolderBytes: 1},
		"must not be negative": {MemoryBytes: -1},
		"three slashes":        {BlobURL: "file://var/cache"},
		"cache folder":         {BlobURL: file},
		"blob store ftp://h/p": {BlobURL: "ftp://user:secret@h/p?token=x"},
	} {
		_, err := cache.New(t.Context(), c)
		if assert.ErrorContains(t, err, want) {
			assert.NotContains(t, strings.SplitN(err.Error(), ": ", 3)[1], "secret")
		}
	}
}
