"""What a delivery costs and how it grows, beside its peers and its floor; `./scripts/bench` runs all parts."""
