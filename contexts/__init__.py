"""Bounded contexts: what the service is about, in plain Python over plain data."""
