"""What the fields of a request's body may hold."""

from typing import Annotated

from pydantic import EmailStr, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00]+$")]
Email = Annotated[EmailStr, StringConstraints(max_length=320)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[^\x00]*$")]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]
"""A password, or a token that the BFF made. What not every system takes is refused before any is asked."""
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
InviteCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
PhoneNumber = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=20, pattern=r"^\+[1-9][0-9]{6,14}$")
]
"""E.164: a plus, the country's code and the number, without blanks."""
