"""What partners have signed: who may ask which of them for what, from when until when."""
