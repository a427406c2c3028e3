"""Ends what was begun and left, by hand and in the BFF: signups whose process died, and those never verified; what canaries
left in Clerk."""
