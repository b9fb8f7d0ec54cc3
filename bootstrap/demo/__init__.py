"""The real job on real data, with nothing but this package installed."""
