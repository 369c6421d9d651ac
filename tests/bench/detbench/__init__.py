"""detbench: simulated streams, measured detectors, and one line per goal. See README.md in this folder."""
