"""One feature of every agency: consents."""
