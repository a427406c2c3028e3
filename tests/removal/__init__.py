"""The removal of legacy, tried before it is done."""
