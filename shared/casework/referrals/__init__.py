"""One feature of every agency: referrals."""
