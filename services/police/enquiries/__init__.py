"""One feature of the police: how a case stands, told by telephone to nobody but her, by her own word."""
