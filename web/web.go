// Package web embeds the browser application: the map page that Vite builds
// from src into dist.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// App returns the built application's files, index.html at its root, and
// whether there is one: a binary built without running Vite first has none.
func App() (files fs.FS, built bool) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, false
	}
	_, err = fs.Stat(files, "index.html")
	return files, err == nil
}
