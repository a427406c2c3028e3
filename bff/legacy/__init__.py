"""All that goes away after the cutover: deleting this folder is the last pull request."""
