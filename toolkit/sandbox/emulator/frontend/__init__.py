"""The Frontend API: what end users' devices ask, as native applications do (`_is_native`)."""
