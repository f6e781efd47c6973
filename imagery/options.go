package imagery

import "runtime"

// Options bounds what events may name and what reading them may use.
type Options struct {
	// Allow lists what files events may refer to: folders (and everything
	// under them) and URL prefixes (https://host/path/). Nothing else is opened.
	Allow []string
	// Base is the folder that relative references are relative to; empty means the working folder.
	Base string
	// Handles bounds the open handles, and so the parallel reads, of one file; 0 means one a CPU, at most 8.
	Handles int
	// BlockCache is the size of GDAL's block cache in bytes (see [Setup]).
	BlockCache int64
	// Sources bounds the events that a [Catalog] keeps open; 0 means 8.
	Sources int
}

func (o Options) withDefaults() Options {
	if o.Handles <= 0 {
		o.Handles = min(runtime.GOMAXPROCS(0), 8)
	}
	if o.Sources <= 0 {
		o.Sources = 8
	}
	return o
}
