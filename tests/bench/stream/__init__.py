"""How fast the stream worker is, compared with others at the same job on the same topics: `make bench-stream`."""
