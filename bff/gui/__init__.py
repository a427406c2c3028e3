"""What people see: pages that speak only the JSON API."""
