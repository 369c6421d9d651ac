"""Online detectors: numbers in, scores out. Imports nothing of `monitor`."""
