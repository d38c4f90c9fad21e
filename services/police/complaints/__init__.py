"""The complaint: registered, explained, told to her safely, withdrawn and opened again. Care never waits for any of it."""
