"""What the column offers to others is exactly what `__all__` lists."""

import types

import tribute.contributions as column


def test_all_is_complete():
    """Every public name that is no module is listed, and every listed name exists."""
    public = {
        name
        for name, value in vars(column).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }

    assert public == set(column.__all__)
