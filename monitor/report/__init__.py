"""What an authority and a firm receive at the end of a stay: written proof, exit report, good-faith pack."""
