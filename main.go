// Command scarp maps newly triggered landslides from pairs of Sentinel-2 images and serves the map.
package main

import (
	"context"
	"os"

	"github.com/scarp-map/scarp/server/cli"
)

func main() {
	os.Exit(cli.Execute(context.Background(), os.Args[1:]))
}
