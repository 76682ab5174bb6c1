"""Delivers each client's referrals as files, exactly once: the package that is zipped for Lambda."""
