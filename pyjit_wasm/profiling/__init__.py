"""What profiles are made of: collection, sums, and the formats they are written in."""
