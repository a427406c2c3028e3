"""Mail that the BFF sends itself. Clerk sends its codes."""
