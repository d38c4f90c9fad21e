"""The published language: pure data and rules that every agency reads the same way."""
