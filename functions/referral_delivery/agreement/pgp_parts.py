"""The parts of an OpenPGP certificate: keys and user IDs, each with what their owner has signed of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pysequoia
from pysequoia.packet import HashAlgorithm, Packet, PacketPile, PublicKeyAlgorithm, SignatureType, Tag

MIN_RSA_BITS = 2_048
_LAST = datetime.max.replace(tzinfo=UTC)
_RSA = (PublicKeyAlgorithm.RSAEncryptSign, PublicKeyAlgorithm.RSAEncrypt, PublicKeyAlgorithm.RSASign)
_WEAK = (
    (PublicKeyAlgorithm.DSA, "a DSA key"),
    (PublicKeyAlgorithm.ElGamalEncrypt, "an ElGamal key"),
    (PublicKeyAlgorithm.ElGamalEncryptSign, "an ElGamal key"),
)
_WEAK_HASHES = (HashAlgorithm.MD5, HashAlgorithm.SHA1, HashAlgorithm.RipeMD)
_OF_A_USER_ID = (
    SignatureType.PositiveCertification,
    SignatureType.CasualCertification,
    SignatureType.PersonaCertification,
    SignatureType.GenericCertification,
)
_BINDINGS = (
    (Tag.PublicKey, (SignatureType.DirectKey,)),
    (Tag.PublicSubkey, (SignatureType.SubkeyBinding,)),
    (Tag.UserID, _OF_A_USER_ID),
)
# Where a key packet's own numbers begin, by its version: in RSA with the modulus' length in bits, on curves with the
# length of the curve's name. https://www.rfc-editor.org/rfc/rfc9580#section-5.5.2
_NUMBERS_AT = {4: 6, 6: 10}
_CURVES = {
    bytes.fromhex("2b8104000a"): "secp256k1",
    bytes.fromhex("2b2403030208010107"): "brainpoolP256r1",
    bytes.fromhex("2b240303020801010b"): "brainpoolP384r1",
    bytes.fromhex("2b240303020801010d"): "brainpoolP512r1",
}
_ON_CURVES = (PublicKeyAlgorithm.ECDSA, PublicKeyAlgorithm.ECDH, PublicKeyAlgorithm.EdDSA)


@dataclass(frozen=True)
class Part:
    """A key, subkey or user ID of a certificate, and what its owner has signed of it."""

    packet: Packet
    owner: Packet
    signatures: list[Packet] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """A key's fingerprint, in capitals, as GnuPG prints it."""
        return str(self.packet.fingerprint).upper()

    @property
    def bindings(self) -> list[Packet]:
        """The owner's signatures that make this a part of the certificate, the newest first."""
        types = next(types for tag, types in _BINDINGS if tag == self.packet.tag)
        return sorted(self._own(*types), key=_when, reverse=True)

    @property
    def is_revoked(self) -> bool:
        """Whether its owner has taken this part back."""
        return bool(self._own(SignatureType.SubkeyRevocation, SignatureType.CertificationRevocation))

    @property
    def weakness(self) -> str | None:
        """What makes a key too weak for files, or unusable to Sequoia; None where nothing does."""
        algorithm, body = self.packet.key_algorithm, self.packet.body
        start = _NUMBERS_AT.get(body[0])
        if start is None:
            return f"a key of OpenPGP's version {body[0]}"
        if algorithm in _RSA and (bits := int.from_bytes(body[start : start + 2])) < MIN_RSA_BITS:
            return f"an RSA key of {bits:,} bits"
        if algorithm in _ON_CURVES and (curve := _CURVES.get(body[start + 1 : start + 1 + body[start]])):
            return f"a key on the curve {curve}"
        return next((said for weak, said in _WEAK if weak == algorithm), None)

    def ends(self, binding: Packet | None) -> datetime | None:
        """When a key expires by a signature of its owner; None for never."""
        period = binding.key_validity_period if binding else None
        return self.packet.key_created + period if period and self.packet.key_created else None

    def lifetime(self, binding: Packet | None) -> tuple[datetime, datetime]:
        """Sorts keys by their end, then by their age."""
        return self.ends(binding) or _LAST, self.packet.key_created or _LAST

    def _own(self, *types: SignatureType) -> list[Packet]:
        """Of these types, the signatures that say that the certificate's owner has made them."""
        by = (self.owner.fingerprint, self.owner.key_id)
        return [
            each
            for each in self.signatures
            if each.signature_type in types and (each.issuer_fingerprint in by or each.issuer_key_id in by)
        ]


def parts(certificate: pysequoia.Cert) -> list[Part]:
    """The primary key first, then subkeys and user IDs; what else there is (photographs) is left out."""
    packets = list(PacketPile.from_bytes(bytes(certificate)))
    found: list[Part] = []
    known = True
    for packet in packets:
        if packet.tag == Tag.Signature:
            if known:
                found[-1].signatures.append(packet)
            continue
        known = packet.tag in (tag for tag, _ in _BINDINGS)
        if known:
            found.append(Part(packet, packets[0]))
    return found


def strong(signatures: list[Packet]) -> list[Packet]:
    """Those that rest on no broken hash."""
    return [each for each in signatures if each.hash_algorithm not in _WEAK_HASHES]


def encrypts(signatures: list[Packet]) -> bool:
    """Whether one of the signatures says of a key that files may be encrypted to it."""
    flags = [each.key_flags for each in signatures if each.key_flags]
    return any(each.transport_encryption or each.storage_encryption for each in flags)


def rank(binding: Packet) -> tuple[bool, datetime]:
    """Sorts user IDs' signatures: the primary user ID's first, then the newest."""
    return bool(binding.primary_userid), _when(binding)


def _when(signature: Packet) -> datetime:
    return signature.signature_created or datetime.min.replace(tzinfo=UTC)
