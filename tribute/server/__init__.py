"""Released models over HTTP, metered: the endpoints that clients know, above all columns."""
