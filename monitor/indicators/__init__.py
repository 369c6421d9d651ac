"""The catalogue of indicators: `INDICATORS` maps the `kind` of a charter's indicator to its class."""
