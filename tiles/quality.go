package tiles

// quality says what the event lacks of what the model expects, for Rendered.
func (d *drawing) quality() string {
	if d.model == nil {
		return ""
	}
	q, err := d.model.Quality(d.src)
	if err != nil {
		return "" // it can't be run: drawing tells why
	}
	return q.String()
}
