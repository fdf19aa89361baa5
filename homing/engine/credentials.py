"""Credentials: making them, and comparing them in constant time.

Passwords are kept as argon2id hashes. An API key is long and random, so its SHA-256 is enough, and can be
looked up by. A token names an account and stays; the signature that goes with it is made from the
password's hash, so it can be shown again and changes when the password does.
"""

import hashlib
import hmac
import secrets
import string
import uuid

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# About 20 ms and 7 MiB for one guess, and for one honest login: RFC 9106 §4 leaves the cost to the
# use, and many logins may come at once. A process keeps what it once took, so the memory is small
# and the passes are many: of the pairs that count as equally strong, the one with the least memory.
_hasher = PasswordHasher(time_cost=5, memory_cost=7_168, parallelism=1)
_LETTERS = string.ascii_letters + string.digits
_SIGNATURE_LENGTH = 24


def make_password() -> str:
    """A random password of 119 bits, of letters and digits: it survives a query string as it is."""
    return "".join(secrets.choice(_LETTERS) for _ in range(20))


def make_api_key() -> str:
    """A random bearer key."""
    return f"hk_{secrets.token_urlsafe(32)}"


def make_token() -> str:
    """What names an account in the faces that take token and signature: 36 characters (upside.md §2)."""
    return str(uuid.uuid4())


def make_secret_key() -> bytes:
    """The key of a signing secret."""
    return secrets.token_bytes(32)


def hash_password(password: str) -> str:
    """What is kept of a password: argon2id, with salt and cost in the text."""
    return _hasher.hash(password)


def is_password(password: str, password_hash: str) -> bool:
    """Whether a password is the one that was hashed; takes its time, which is the point."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def hash_api_key(api_key: str) -> str:
    """What is kept of an API key, and looked up by."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def signature(name: str, token: str, password_hash: str) -> str:
    """The signature of an account for the faces that take token and signature: 24 letters and digits.

    They are the last digits, to the base 62, of the HMAC-SHA-256 of name and password hash under the token:
    142 bits. Nobody can make one who does not know the hash, and every new password has another hash.
    """
    number = int.from_bytes(
        hmac.digest(token.encode("utf-8", "replace"), (name + password_hash).encode(), "sha256")
    )
    letters = []
    for _ in range(_SIGNATURE_LENGTH):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)


def is_same(given: str, expected: str) -> bool:
    """Whether two texts are the same, compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))
