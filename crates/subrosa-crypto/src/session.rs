//! The proofs at the start of a connection (`frames.proto`, steps 2 and 3).
//!
//! Both sides sign what only this connection has: the nonces of both and a value exported from the TLS session
//! (RFC 9266's idea, with a label of our own). So a proof made on one connection is worth nothing on another, also to
//! somebody who ends TLS in the middle.
//!
//! ```text
//! server:  label "hello",  over server_key(32) client_nonce(32) server_nonce(32) tls_exporter(32)
//! device:  label "login",  over server_key(32) device_id(16) client_nonce(32) server_nonce(32) tls_exporter(32)
//! ```
//!
//! Every field has a fixed length, so that no two readings of the bytes exist.

use subrosa_types::DeviceId;
use subrosa_wire::Fingerprint;
use subrosa_wire::proto::HelloAnswer;

use crate::keys::{BadSignature, Label, SigningKey, VerifyingKey};

/// The label of the TLS exporter (RFC 8446 §7.5) that both sides ask for 32 bytes, with an empty context.
pub const TLS_EXPORTER_LABEL: &[u8] = b"EXPORTER-subrosa-v1";

/// Why the answer to a hello does not prove the expected server. The server, or who stands in the middle, is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A field of the wrong length.
    #[error("the server's answer is malformed")]
    Malformed,
    /// Another identity key than the server link names.
    #[error("this is another server than the link says; the address may have been taken over")]
    OtherServer,
    /// The signature does not hold for this connection.
    #[error("the server did not prove its identity on this connection")]
    BadSignature(#[from] BadSignature),
}

/// What both sides of one connection know once hello is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// The server's identity key.
    pub server_key: VerifyingKey,
    /// From the hello.
    pub client_nonce: [u8; 32],
    /// From its answer.
    pub server_nonce: [u8; 32],
    /// From TLS, under [`TLS_EXPORTER_LABEL`].
    pub tls_exporter: [u8; 32],
}

impl Channel {
    /// Checks a server's answer completely: the identity that the link names, and its signature over this connection.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn from_answer(
        answer: &HelloAnswer,
        expected: &Fingerprint,
        client_nonce: [u8; 32],
        tls_exporter: [u8; 32],
    ) -> Result<Self, SessionError> {
        let server_key = VerifyingKey::from_slice(&answer.server_key).map_err(|_| SessionError::Malformed)?;
        if server_key.fingerprint() != *expected {
            return Err(SessionError::OtherServer);
        }
        let server_nonce = answer.server_nonce.as_slice().try_into().map_err(|_| SessionError::Malformed)?;
        let channel = Self { server_key, client_nonce, server_nonce, tls_exporter };
        channel.verify_hello(&answer.signature)?;
        Ok(channel)
    }

    /// The server's proof. `server` is the key whose public half stands in the channel.
    pub fn sign_hello(&self, server: &SigningKey) -> [u8; 64] {
        server.sign(Label::Hello, &self.transcript(None))
    }

    /// Checks the server's proof.
    ///
    /// # Errors
    /// [`BadSignature`] if the server did not make it on this connection.
    pub fn verify_hello(&self, signature: &[u8]) -> Result<(), BadSignature> {
        self.server_key.verify(Label::Hello, &self.transcript(None), signature)
    }

    /// A device's proof.
    pub fn sign_login(&self, device: DeviceId, key: &SigningKey) -> [u8; 64] {
        key.sign(Label::Login, &self.transcript(Some(device)))
    }

    /// Checks a device's proof. `key` is the key in the device's certificate.
    ///
    /// # Errors
    /// [`BadSignature`] if the device did not make it on this connection.
    pub fn verify_login(&self, device: DeviceId, key: &VerifyingKey, signature: &[u8]) -> Result<(), BadSignature> {
        key.verify(Label::Login, &self.transcript(Some(device)), signature)
    }

    fn transcript(&self, device: Option<DeviceId>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(144);
        bytes.extend_from_slice(self.server_key.as_bytes());
        if let Some(device) = device {
            bytes.extend_from_slice(device.as_bytes());
        }
        bytes.extend_from_slice(&self.client_nonce);
        bytes.extend_from_slice(&self.server_nonce);
        bytes.extend_from_slice(&self.tls_exporter);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    const DEVICE: DeviceId = DeviceId::from_bytes([4; 16]);

    fn channel(server: &SigningKey) -> Channel {
        let [client_nonce, server_nonce, tls_exporter] = [[1; 32], [2; 32], [3; 32]];
        Channel { server_key: server.public(), client_nonce, server_nonce, tls_exporter }
    }

    fn answer(server: &SigningKey) -> HelloAnswer {
        let channel = channel(server);
        HelloAnswer {
            server_key: server.public().to_vec(),
            server_nonce: channel.server_nonce.to_vec(),
            signature: channel.sign_hello(server).to_vec(),
            server_time: 0,
        }
    }

    #[test]
    fn both_sides_prove_themselves_on_their_connection() {
        let (server, device) = (SigningKey::generate(&mut rng(1)), SigningKey::generate(&mut rng(2)));
        let print = server.public().fingerprint();
        let channel = Channel::from_answer(&answer(&server), &print, [1; 32], [3; 32]).unwrap();
        let proof = channel.sign_login(DEVICE, &device);
        assert_eq!(channel.verify_login(DEVICE, &device.public(), &proof), Ok(()));
        assert_eq!(channel.verify_login(DEVICE, &server.public(), &proof), Err(BadSignature));
        assert_eq!(channel.verify_login(DeviceId::from_bytes([5; 16]), &device.public(), &proof), Err(BadSignature));
    }

    #[test]
    fn a_proof_is_worth_nothing_on_another_connection() {
        let (server, device) = (SigningKey::generate(&mut rng(1)), SigningKey::generate(&mut rng(2)));
        let here = channel(&server);
        let (hello, login) = (here.sign_hello(&server), here.sign_login(DEVICE, &device));
        let other_key = SigningKey::generate(&mut rng(3)).public();
        for there in [
            Channel { client_nonce: [9; 32], ..here },
            Channel { server_nonce: [9; 32], ..here },
            Channel { tls_exporter: [9; 32], ..here },
            Channel { server_key: other_key, ..here },
        ] {
            assert_eq!(there.verify_hello(&hello), Err(BadSignature));
            assert_eq!(there.verify_login(DEVICE, &device.public(), &login), Err(BadSignature));
        }
    }

    #[test]
    fn another_server_at_the_same_address_is_noticed() {
        let (server, other) = (SigningKey::generate(&mut rng(1)), SigningKey::generate(&mut rng(2)));
        let print = server.public().fingerprint();
        let check = |answer: &HelloAnswer| Channel::from_answer(answer, &print, [1; 32], [3; 32]).unwrap_err();
        assert_eq!(check(&answer(&other)), SessionError::OtherServer);
        let pretended = HelloAnswer { server_key: server.public().to_vec(), ..answer(&other) };
        assert_eq!(check(&pretended), SessionError::BadSignature(BadSignature));
        assert_eq!(check(&HelloAnswer { server_nonce: vec![2; 31], ..answer(&server) }), SessionError::Malformed);
        assert_eq!(check(&HelloAnswer::default()), SessionError::Malformed);
    }
}
