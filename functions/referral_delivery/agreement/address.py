"""Email addresses, as client files have them."""

import re

from referral_delivery.agreement.refusal import Refused

# The HTML standard's idea of an address, with a dot in its domain and none at an end of what is before the @.
# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+"
# https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
MAX_ADDRESS_CHARACTERS, MAX_LOCAL_PART_CHARACTERS = 254, 64


def one_address(text: str) -> str:
    """The text, where it is one address and nothing else."""
    if len(text) > MAX_ADDRESS_CHARACTERS or len(text.partition("@")[0]) > MAX_LOCAL_PART_CHARACTERS:
        raise Refused(
            expected=f"an address of at most {MAX_ADDRESS_CHARACTERS} characters, {MAX_LOCAL_PART_CHARACTERS} of them "
            "before the @",
            do="write it like `contact: crm@acme.example`",
        )
    if not re.fullmatch(ADDRESS, text):
        near = re.findall(rf"(?<![^\s<:\"'\u201c\u201e\u2018\u00ab])({ADDRESS})", text)
        do = f"did you mean `{near[0]}`?" if near else "write it like `contact: crm@acme.example`"
        raise Refused(
            expected="one email address, in plain letters, and nothing else",
            do=do if len(near) <= 1 else "give one; a group's address reaches several people",
        )
    return text
