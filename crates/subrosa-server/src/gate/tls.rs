//! TLS 1.3 with a certificate that the server makes for itself.
//!
//! The certificate's key *is* the server's Ed25519 identity key, so a client that pins the key needs no authority and no
//! domain. Key exchange is hybrid (X25519MLKEM768) where the client can, so that what is recorded today is not read by a
//! quantum computer. No session tickets: a new connection costs one handshake, and nothing is kept for it.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS13;
use subrosa_crypto::SigningKey;

/// The TLS endpoint could not be made. We are to blame.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate.
    #[error("the server's certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// The endpoint.
    #[error("TLS could not be set up")]
    Setup(#[from] rustls::Error),
}

/// TLS that proves this identity key.
pub(crate) fn tls_config(identity: &SigningKey) -> Result<rustls::ServerConfig, TlsError> {
    let key = identity.to_pkcs8_der();
    let private = PrivatePkcs8KeyDer::from(key.to_vec());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&private, &PKCS_ED25519)?;
    let mut params = CertificateParams::new(vec!["subrosa.invalid".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Subrosa server");
    let certificate = params.self_signed(&pair)?;

    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519];
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], PrivateKeyDer::Pkcs8(private))?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}
