"""A ledger of products by batch and expiry, which a station's locked box and a clinic's store keep alike. Nobody stands in it."""
