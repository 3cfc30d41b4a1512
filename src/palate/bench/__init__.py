"""Experiments that anyone can run again; nothing else in the package imports them."""
