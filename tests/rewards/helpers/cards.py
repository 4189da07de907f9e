"""Attribution cards as `card.json` holds them, see docs/reference/artifacts.md."""

CARD = {
    "seeds": [0, 1, 2],
    "confidence": 0.9,
    "validation": "quick",
    "method": "in-run",
    "trainings": 19.4,
    "total": 0.9,
    "seed_agreement": 0.931,
    "seed_split": 0.121,
    "mismatch": [0.031, -0.052, 0.017],
    "intervals": True,
    "told_from_content": {"names": 3, "of": 4},
    "proxy": None,
    "leave_one_out": {
        "contributors": ["numpy", "scipy", "pandas", "sympy", "scrambler"],
        "seeds": 2,
        "spearman": 0.9,
        "credit_spearman": 0.7,
        "slope": 1.04,
        "ceiling": 0.95,
    },
    "lds": None,
    "coalitions": None,
    "coverage": {"trials": 24, "covered": 0.875},
    "controls": {
        "duplicate": {"rows": 12, "excluded": 12},
        "shuffled": {"rows": 12, "credit": -0.0312, "low": -0.05, "high": -0.0124},
        "irrelevant": {"rows": 12, "credit": 0.0004, "low": -0.003, "high": 0.0038},
        "outliers": {"rows": 12, "credit": -0.002, "low": -0.01, "high": 0.006},
        "split": {"names": 10, "change": 0.0, "share_change": 0.0},
    },
    "baselines": {},
}
"""A card that passes the gate of configs/policy.yaml, with figures that were not measured."""
UNMEASURED = CARD | {
    "validation": "off",
    "leave_one_out": CARD["leave_one_out"]
    | {"contributors": [], "spearman": None, "credit_spearman": None, "slope": None, "ceiling": None},
    "controls": None,
    "coverage": None,
}
"""What `attribution.validation: off` writes: the gate's figures were not measured, all but the seeds' split."""
