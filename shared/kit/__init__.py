"""Plain tools that know nothing of referrals: they take arguments, never settings, and import nothing of ours."""
