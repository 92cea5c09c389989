"""Who is asking: the owner by passcode and cookie, anyone by an issuer's token, or nobody on loopback."""

from gymops.app.auth.identity import Authenticator, Identity

__all__ = ["Authenticator", "Identity"]
