"""Pictures of a pilot as SVG: canvas, plots and marks."""
