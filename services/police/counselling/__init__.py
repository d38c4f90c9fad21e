"""One feature of the police: that somebody was counselled, and by which post."""
