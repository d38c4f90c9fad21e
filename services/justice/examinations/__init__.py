"""Forensic examinations, and the order that an examination needs, before it or afterwards."""
