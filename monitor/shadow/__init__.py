"""Shadow charters: how the decisions of a candidate charter differ from those of the charter in force. Pure."""
