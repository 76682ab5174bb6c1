"""`lake load`: a file of referrals, read exactly or refused, into the lake once."""
