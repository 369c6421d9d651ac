"""The board: a read-only page with every pilot, its level and why, and the evidence behind it, drawn.

`FleetView` is a projection of what the machine put out, `page` turns it into HTML, `routes` serves it. `words` holds the one sentence
for each reason that pages and alerts share.
"""
