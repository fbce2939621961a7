//! Relays of an endpoint: its own, and that of the peer if it is another one. Each proves the key of its link.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::BASE64URL_NOPAD;
use iroh::tls::CaTlsConfig;
use iroh::{RelayConfig, RelayUrl};
use iroh_relay::RelayQuicConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::{DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use subrosa_wire::{Fingerprint, RelayLink};

use crate::server::pin::{OtherKey, PinnedKey, is_wrong_key};

/// The keys that relays must prove, by host. TLS does not say which port it is for, so two relays on one host may stand
/// in for each other; neither sees more than ciphertext.
#[derive(Debug)]
pub(super) struct Pins {
    pins: RwLock<Vec<(String, Fingerprint)>>,
    algorithms: WebPkiSupportedAlgorithms,
    /// Whether some relay showed another key.
    refused: AtomicBool,
}

impl Pins {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Arc<Self> {
        Arc::new(Self { pins: RwLock::default(), algorithms, refused: AtomicBool::new(false) })
    }

    /// Pins a relay's key, and gives what the endpoint needs to reach it.
    pub(super) fn add(&self, relay: &RelayLink) -> Result<RelayConfig, String> {
        let url: RelayUrl = format!("https://{}:{}/", relay.host, relay.port)
            .parse()
            .map_err(|_| "the relay's address is no address".to_owned())?;
        let pin = (plain(url.host_str().unwrap_or_default()), relay.fingerprint);
        let mut pins = self.pins.write().unwrap_or_else(PoisonError::into_inner);
        if !pins.contains(&pin) {
            pins.push(pin);
        }
        let config = RelayConfig::new(url, Some(RelayQuicConfig::new(relay.port)));
        Ok(if relay.pass.is_empty() { config } else { config.with_auth_token(BASE64URL_NOPAD.encode(&relay.pass)) })
    }

    /// Whether a relay showed another key than its link names.
    pub(super) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// The TLS settings of an endpoint that accepts these relays and no other.
    pub(super) fn tls(self: &Arc<Self>) -> CaTlsConfig {
        let pins = self.clone();
        CaTlsConfig::custom_server_cert_verifier(Arc::new(move |_| Ok(Arc::new(Verifier(pins.clone())))))
    }
}

fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

/// [`Pins`] as rustls wants it.
#[derive(Debug)]
struct Verifier(Arc<Pins>);

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let host = plain(&server_name.to_str());
        let pins = self.0.pins.read().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = Err(OtherKey::error());
        for (_, fingerprint) in pins.iter().filter(|(pinned, _)| *pinned == host) {
            let pinned = PinnedKey::new(*fingerprint, self.0.algorithms);
            outcome = pinned.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
            if outcome.is_ok() {
                break;
            }
        }
        if outcome.as_ref().is_err_and(is_wrong_key) {
            self.0.refused.store(true, Ordering::Relaxed);
        }
        outcome
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
        verify_tls13_signature(message, cert, dss, &self.0.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
