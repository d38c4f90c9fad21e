"""Samples that a forensic institute collects or is handed, in tables of its own; see `shared.casework.custody`."""
