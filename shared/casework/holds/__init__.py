"""One feature of every agency: holds, by which a court forbids to destroy what is known of a case."""
