"""The Frontend API: requests of end users' devices, as native applications make them (`_is_native`)."""
