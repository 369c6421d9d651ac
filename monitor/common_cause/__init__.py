"""The second stage: pools evidence over pilots that share a vendor. Pure."""
