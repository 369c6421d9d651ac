"""The board and the reports: read-only pages with the level of every pilot, the reason, and a picture of the evidence.

`FleetView` folds outputs into one view per pilot; `fleet_page`, `pilot_page` and `board_json` render it; `routes`
serves them; `report` renders a replay. Sentences come from `monitor.projections.wording`.
"""
