"""AX's sessions and API keys: minting, finding, listing and ending them."""
