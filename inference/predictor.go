package inference

import (
	"context"

	"github.com/scarp-map/scarp/imagery"
)

// Predictor gives blocks. [Engine] is the real one.
type Predictor interface {
	// Model finds a model by name; the empty name is the default. The error
	// says which names there are (ErrUnknownModel).
	Model(name string) (*Model, error)
	// Models lists the models, the default first.
	Models() []*Model
	// Block returns the block, from the cache or computed. ctx's end stops the
	// computation unless somebody else waits for it too.
	Block(ctx context.Context, src imagery.Source, m *Model, at BlockIndex, p Priority) (*Block, error)
	// Peek returns the block if it is already predicted (in memory or in the
	// blob cache), else nil. At levels above 0 pixels may be NotPredicted;
	// complete says that none is.
	Peek(ctx context.Context, src imagery.Source, m *Model, at BlockIndex) (b *Block, complete bool, err error)
}
