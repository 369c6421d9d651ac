"""Who may read which pages of the board, and the log of who read what. Optional: without it, everybody who reaches the
board reads all of it."""
