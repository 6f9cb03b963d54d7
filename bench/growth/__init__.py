"""`make bench-growth`: whether orders are read and placed as fast among a million others as among ten thousand."""
