//! The pinned key in place of certificate authorities.
//!
//! Reason: a Subrosa server is its key. A certificate from an authority would say who owns a name, which nobody here
//! relies on; a self-made one needs no domain and no third party.
//!
//! 1. The end-entity certificate's public key must be Ed25519 (RFC 8410), and the SHA-256 of its 32 bytes the
//!    fingerprint of the link.
//! 2. The CertificateVerify signature of the TLS 1.3 handshake must verify under that key: a copied certificate
//!    without its private key fails here.
//!
//! Names and dates in the certificate are not looked at: the link is the statement about both.

use std::sync::{Arc, mpsc};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use subrosa_crypto::VerifyingKey;
use subrosa_wire::Fingerprint;

/// DER of a SubjectPublicKeyInfo with the algorithm Ed25519, up to the key (RFC 8410 §4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The certificate's key is another one than the link's.
#[derive(Debug, thiserror::Error)]
#[error("the certificate has another key than the link names")]
pub struct OtherKey;

impl OtherKey {
    /// The same as rustls carries it.
    pub fn error() -> Error {
        CertificateError::Other(OtherError(Arc::new(Self))).into()
    }
}

/// Accepts exactly one key, or notes which one there is.
#[derive(Debug)]
pub struct PinnedKey {
    expected: Expected,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Expected {
    Known(Fingerprint),
    Unknown(mpsc::SyncSender<Fingerprint>),
}

impl PinnedKey {
    /// Accepts the key with this fingerprint.
    pub const fn new(fingerprint: Fingerprint, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { expected: Expected::Known(fingerprint), algorithms }
    }

    /// Accepts whatever key is proved, and tells it. For a first look, on a connection on which nothing else is said.
    pub const fn learning(to: mpsc::SyncSender<Fingerprint>, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { expected: Expected::Unknown(to), algorithms }
    }
}

/// Whether a failed handshake failed because of the key: another one, or a signature that the pinned one did not make.
pub fn is_wrong_key(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => cause.is::<OtherKey>(),
        Error::InvalidCertificate(CertificateError::BadSignature) => true,
        _ => false,
    }
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let other = OtherKey::error;
        let spki = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let key = spki.as_ref().strip_prefix(&ED25519_SPKI).ok_or_else(other)?;
        let key = VerifyingKey::from_slice(key).map_err(|_| other())?;
        match &self.expected {
            Expected::Known(fingerprint) if key.fingerprint() == *fingerprint => Ok(ServerCertVerified::assertion()),
            Expected::Known(_) => Err(other()),
            // One place is enough: a handshake shows one certificate.
            Expected::Unknown(to) => {
                to.try_send(key.fingerprint()).map_err(|_| other())?;
                Ok(ServerCertVerified::assertion())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
