"""Who stands in no queue: whom the programme's rule identifies is seen first, and how long it took is counted."""
