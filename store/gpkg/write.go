package gpkg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// Write makes a GeoPackage of one run to give away: a single file with the same
// tables as a store's, that replaces what is at path once it is whole. Of the
// event it holds what may be shown, not where its scenes lie.
func Write(ctx context.Context, path string, e imagery.Event, r store.Run, landslides []store.Landslide) (err error) {
	// A write-ahead log beside the old file belongs to a program that has it
	// open, and would be read into the new one.
	if _, err := os.Stat(path + "-wal"); err == nil {
		return fmt.Errorf("write GeoPackage %s: another program has the file open: close it there, or write to another path", path)
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".scarp-*")
	if err != nil {
		return fmt.Errorf("write GeoPackage %s: %w", path, err)
	}
	defer os.RemoveAll(folder)
	part := filepath.Join(folder, filepath.Base(path))
	s, err := open(ctx, part, "DELETE")
	if err != nil {
		return err
	}
	err = s.PutEvent(ctx, shown(e))
	if err == nil {
		err = s.Publish(ctx, r, landslides)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o644); err != nil {
		return fmt.Errorf("write GeoPackage %s: %w", path, err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("write GeoPackage %s: %w", path, err)
	}
	return nil
}
