"""Samples that a clinic collects, in tables of its own; what is done with them is `shared.casework.custody`."""
