"""From shares, a policy and a pool to money, with evidence and a statement for every contributor."""
