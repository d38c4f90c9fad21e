"""One feature of every agency: coded messages that one agency asks another to pass on."""
