//! Ed25519 keys (RFC 8032) and labelled signatures.
//!
//! Every signature of Subrosa is made under a [`Label`]:
//!
//! ```text
//! signature = Ed25519( "subrosa v1 " label 0x00 statement )
//! ```
//!
//! so that bytes signed for one purpose are worth nothing for another. The labels are a closed list; no label is a
//! prefix of another one with its final zero byte.
//!
//! Invariant: a [`VerifyingKey`] is none of the points of small order, under which one signature fits every statement.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::BASE32_NOPAD;
use rand_core::CryptoRngCore;
use subrosa_wire::Fingerprint;
use zeroize::Zeroizing;

/// A byte string that is no usable public key. The peer that sent it is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid public key")]
pub struct BadKey;

/// A signature that does not verify. The peer that sent it is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// An account statement, by the account's own key.
    Account,
    /// The same bytes, by the server.
    Attestation,
    /// A device certificate, by the account key.
    Device,
    /// A device list entry, by the account key.
    DeviceList,
    /// A role log entry, by the server.
    RoleLog,
    /// A role order, by the actor's account key.
    RoleOrder,
    /// A hand-over offer, by the super admin's account key.
    HandOverOffer,
    /// A hand-over acceptance, by the receiving account's key.
    HandOverAcceptance,
    /// A group certificate, by the server.
    GroupCertificate,
    /// A group's title, by the account key of who named it.
    Title,
    /// The server's proof on a new connection.
    Hello,
    /// A device's proof at login.
    Login,
    /// The proof of one end of a direct link.
    Direct,
}

impl Label {
    /// All labels.
    pub const ALL: [Self; 13] = [
        Self::Account,
        Self::Attestation,
        Self::Device,
        Self::DeviceList,
        Self::RoleLog,
        Self::RoleOrder,
        Self::HandOverOffer,
        Self::HandOverAcceptance,
        Self::GroupCertificate,
        Self::Title,
        Self::Hello,
        Self::Login,
        Self::Direct,
    ];

    /// The word that is signed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Attestation => "attestation",
            Self::Device => "device",
            Self::DeviceList => "device list",
            Self::RoleLog => "role log",
            Self::RoleOrder => "role order",
            Self::HandOverOffer => "hand-over offer",
            Self::HandOverAcceptance => "hand-over acceptance",
            Self::GroupCertificate => "group certificate",
            Self::Title => "title",
            Self::Hello => "hello",
            Self::Login => "login",
            Self::Direct => "direct link",
        }
    }
}

/// What is signed instead of the bare statement.
fn labelled(label: Label, statement: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40 + statement.len());
    bytes.extend_from_slice(b"subrosa v1 ");
    bytes.extend_from_slice(label.as_str().as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(statement);
    bytes
}

/// A secret Ed25519 key: of a server, an account or a device. Zeroised when dropped; its `Debug` shows the public half.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// A new key from the given randomness.
    pub fn generate(rng: &mut dyn CryptoRngCore) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The key that this seed stands for (RFC 8032 §5.1.5).
    ///
    /// # Panics
    /// Never: AWS-LC derives a key from every seed of 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "documented: every 32 bytes are a seed, and the public key has 32 bytes"
        )]
        let (pair, public) = {
            let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are an Ed25519 seed");
            let public = pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
            (pair, public)
        };
        Self { seed: Zeroizing::new(*seed), pair, public: VerifyingKey(public) }
    }

    /// The seed, for sealing and for the store.
    pub const fn seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.seed
    }

    /// The public half.
    pub const fn public(&self) -> VerifyingKey {
        self.public
    }

    /// Signs bytes for one purpose.
    pub fn sign(&self, label: Label, statement: &[u8]) -> [u8; 64] {
        self.danger_sign_raw(&labelled(label, statement))
    }

    /// Signs bytes as they are. Only for MLS, which has labels of its own (RFC 9420 §5.1.2, "MLS 1.0 …"), and TLS.
    ///
    /// # Panics
    /// Never: an Ed25519 signature has 64 bytes.
    pub fn danger_sign_raw(&self, bytes: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        signature
    }

    /// The key as PKCS#8 v1 (RFC 8410 §7), for a TLS certificate or an export.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        // OneAsymmetricKey { version 0, id-Ed25519, OCTET STRING { OCTET STRING seed } }
        const PREFIX: [u8; 16] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let mut der = Zeroizing::new(Vec::with_capacity(PREFIX.len() + 32));
        der.extend_from_slice(&PREFIX);
        der.extend_from_slice(self.seed.as_slice());
        der
    }

    /// The same as text (RFC 7468 §10), as OpenSSL and others read it: whoever has it is who the key stands for.
    pub fn danger_to_pem(&self) -> Zeroizing<String> {
        pem("PRIVATE KEY", &self.to_pkcs8_der())
    }
}

/// Bytes in PEM. The text is written in one place, which is wiped: nothing of a secret stays behind.
#[expect(clippy::expect_used, reason = "a label of ours and less than 100 bytes fit into 200 bytes of ASCII")]
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let mut buffer = Zeroizing::new([0; 200]);
    let text = pem_rfc7468::encode(label, pem_rfc7468::LineEnding::LF, der, &mut *buffer).expect("it fits");
    Zeroizing::new(text.to_owned())
}

impl Clone for SigningKey {
    fn clone(&self) -> Self {
        Self::from_seed(&self.seed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey of {:?}", self.public)
    }
}

/// A public Ed25519 key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// The key in a byte string from outside.
    ///
    /// # Errors
    /// [`BadKey`] unless there are 32 bytes and they are no point of small order. Whether they are a point at all shows
    /// when a signature is verified.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, BadKey> {
        Self::from_bytes(bytes.try_into().map_err(|_| BadKey)?)
    }

    /// The same from an array.
    ///
    /// # Errors
    /// [`BadKey`] if the bytes are a point of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, BadKey> {
        let mut y = bytes;
        y[31] &= 0x7F;
        if SMALL_ORDER.contains(&y) { Err(BadKey) } else { Ok(Self(bytes)) }
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 32 bytes, owned, as the wire carries them.
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// The key as SubjectPublicKeyInfo in PEM (RFC 8410 §4, RFC 7468 §13), as OpenSSL and others read it.
    pub fn to_pem(&self) -> String {
        // SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING key }
        const PREFIX: [u8; 12] = [0x30, 0x2A, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 3, 0x21, 0];
        let mut der = [0; 44];
        der[..12].copy_from_slice(&PREFIX);
        der[12..].copy_from_slice(&self.0);
        pem("PUBLIC KEY", &der).as_str().to_owned()
    }

    /// SHA-256 of the key: what a server link carries.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(crate::sha256(&self.0))
    }

    /// Checks a signature that was made for one purpose.
    ///
    /// # Errors
    /// [`BadSignature`] if it was made by another key, over other bytes, or for another purpose.
    pub fn verify(&self, label: Label, statement: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(&labelled(label, statement), signature)
            .map_err(|_| BadSignature)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

/// The y coordinates of the eight points of small order, without the sign bit, in each encoding that is accepted.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    first_byte(1, 0),
    [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF,
        0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ],
    [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A, 0x20,
        0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ],
    // p - 1, and p and p + 1, which stand for 0 and 1 once more.
    first_byte(0xEC, 0xFF),
    first_byte(0xED, 0xFF),
    first_byte(0xEE, 0xFF),
];

const fn first_byte(first: u8, rest: u8) -> [u8; 32] {
    let mut bytes = [rest; 32];
    bytes[0] = first;
    bytes[31] &= 0x7F;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    #[test]
    fn a_signature_holds_for_its_key_label_and_bytes_only() {
        let mut rng = rng(1);
        let (key, other) = (SigningKey::generate(&mut rng), SigningKey::generate(&mut rng));
        for label in Label::ALL {
            let signature = key.sign(label, b"statement");
            assert_eq!(key.public().verify(label, b"statement", &signature), Ok(()));
            assert_eq!(key.public().verify(label, b"statemenT", &signature), Err(BadSignature));
            assert_eq!(key.public().verify(label, b"statement", &signature[..63]), Err(BadSignature));
            assert_eq!(other.public().verify(label, b"statement", &signature), Err(BadSignature));
            for another in Label::ALL.into_iter().filter(|another| *another != label) {
                assert_eq!(key.public().verify(another, b"statement", &signature), Err(BadSignature));
            }
        }
    }

    #[test]
    fn no_label_can_run_into_the_statement_of_another() {
        for one in Label::ALL {
            assert!(!one.as_str().contains('\0'));
            assert_eq!(Label::ALL.iter().filter(|other| other.as_str() == one.as_str()).count(), 1);
        }
    }

    #[test]
    fn the_key_of_rfc_8032_test_1_is_derived_from_its_seed() {
        let seed = data_encoding::HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let key = SigningKey::from_seed(seed.as_slice().try_into().unwrap());
        assert_eq!(
            data_encoding::HEXLOWER.encode(key.public().as_bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(&key.danger_sign_raw(b"")[..4], [0xE5, 0x56, 0x43, 0x00]);
    }

    #[test]
    fn what_is_signed_is_frozen() {
        // Signed by another implementation: "subrosa v1 device list", a zero byte, "statement".
        let expected = "0d53c7598c638b325e2afbcb06ddfde650375b3285c4f8f12bd0e256803557073187a2e70c2aa341e2bc4e72945a53e75f787addcec6dbddf645ce8534645d0b";
        let signature = SigningKey::from_seed(&[7; 32]).sign(Label::DeviceList, b"statement");
        assert_eq!(data_encoding::HEXLOWER.encode(&signature), expected);
    }

    #[test]
    fn a_key_of_small_order_which_fits_every_statement_is_refused() {
        // The neutral element as key: R = neutral, S = 0 verifies over anything. AWS-LC says yes; we must not ask it.
        let neutral = first_byte(1, 0);
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(UnparsedPublicKey::new(&ED25519, &neutral).verify(b"anything", &signature).is_ok());
        for mut point in SMALL_ORDER {
            assert_eq!(VerifyingKey::from_bytes(point), Err(BadKey));
            point[31] |= 0x80;
            assert_eq!(VerifyingKey::from_slice(&point), Err(BadKey));
        }
        assert_eq!(VerifyingKey::from_slice(&[7; 31]), Err(BadKey));
    }

    #[test]
    fn a_secret_key_is_not_shown() {
        let key = SigningKey::from_seed(&[0x5A; 32]);
        assert!(!format!("{key:?}").contains("5a5a"));
        assert!(!format!("{key:?}").contains("90, 90"));
    }

    #[test]
    fn keys_in_pem_are_those_of_the_examples_of_rfc_8410() {
        let private = "-----BEGIN PRIVATE KEY-----\n\
                       MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                       -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
        let seed = data_encoding::HEXLOWER
            .decode(b"d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842")
            .unwrap();
        let key = SigningKey::from_seed(seed.as_slice().try_into().unwrap());
        assert_eq!(key.danger_to_pem().as_str(), private);
        assert_eq!(key.public().to_pem(), public);
    }

    #[test]
    fn the_pkcs8_form_is_read_by_others_as_the_same_key() {
        let key = SigningKey::generate(&mut rng(2));
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.to_pkcs8_der()).unwrap();
        assert_eq!(pair.public_key().as_ref(), key.public().as_bytes());
    }
}
