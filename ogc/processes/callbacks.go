package processes

import (
	"bytes"
	"context"
	"fmt"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
)

// maxTold bounds the results that a callback holds in bytes; larger ones are
// told by reference.
const maxTold = 8 << 20

// news is what a callback tells of a job: its results where it is successful,
// in the form of a document, else its status.
func (a *API) news(ctx context.Context, j jobs.Job) (jobs.News, error) {
	w, err := wishesOf(j)
	if err != nil {
		return jobs.News{}, err
	}
	if j.Status != jobs.Successful {
		body, err := common.EncodeJSON(a.statusDoc(w.Base, j, true))
		return jobs.News{MediaType: common.JSON.MediaType(), Body: body}, err
	}
	p, _, err := a.job(ctx, j.ID)
	if err != nil {
		return jobs.News{}, fmt.Errorf("find job %s: %w", j.ID, err)
	}
	parts, err := a.open(ctx, w.Base, p, j, w)
	defer closeAll(parts)
	if err != nil {
		return jobs.News{}, err
	}
	var size int64
	for _, x := range parts {
		if x.result != nil {
			size += x.result.Size
		}
	}
	if size > maxTold {
		closeAll(parts)
		for i := range parts {
			parts[i].result = nil
		}
	}
	var b bytes.Buffer
	if err := writeParts(&b, parts); err != nil {
		return jobs.News{}, fmt.Errorf("write the results of job %s: %w", j.ID, err)
	}
	return jobs.News{MediaType: common.JSON.MediaType(), Body: b.Bytes()}, nil
}
