"""What an application keeps with a user."""


def merge(old: dict[str, object], new: dict[str, object]) -> dict[str, object]:
    """A deep merge, as both APIs do it; null removes a key."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[key] = value
    return merged
