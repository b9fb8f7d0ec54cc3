"""Decoders against bytes that nobody meant for them."""
