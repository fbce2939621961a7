//! The one place that fixes which MLS we speak: cipher suite, capabilities, extension types, lifetimes and the
//! configuration that every group of ours shares.
//!
//! Both sides of the wire read these values: a client puts them into what it makes, and the policy refuses what
//! does not carry them, in a client as well as in the server's follower. So a value here is a wire constant. The suite is
//! stored with each group (in its GroupContext, RFC 9420 §8.1), so that another suite can be added beside this one.

use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialType, Extension, ExtensionType, Extensions, ExternalSender,
    GroupContext, InvalidExtensionError, Lifetime, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
    ProtocolVersion, RequiredCapabilitiesExtension, SenderRatchetConfiguration, SignaturePublicKey, UnknownExtension,
};

/// The suite of every group: ML-KEM-768 with X25519 (X-Wing), AES-128-GCM, SHA-256, Ed25519.
///
/// Code point 0x004F of draft-ietf-mls-pq-ciphersuites; provisional until the draft is published, hence one constant.
pub const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;

/// The classical suite for groups beyond the size that [`SUITE`] serves well. Every leaf already says that it speaks
/// it; no group is made with it yet, and what arrives with it is refused.
pub const CLASSICAL_SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// Extension type (private use, RFC 9420 §17.3) of the group certificate in the GroupContext.
pub const CERTIFICATE_EXTENSION: u16 = 0xF0C5;

/// Identity in the basic credential of the one external sender: the server.
pub const SERVER_IDENTITY: &[u8] = b"server";

/// Largest group certificate, in bytes.
pub const CERTIFICATE: usize = 4 * 1024;

/// Application messages are padded to a multiple of this many bytes (RFC 9420 §6.3.1).
pub const PADDING: usize = 256;

/// 2020-01-01T00:00:00Z.
const NOT_BEFORE: u64 = 1_577_836_800;
/// 2120-01-01T00:00:00Z.
const NOT_AFTER: u64 = 4_733_510_400;

/// The lifetime in the leaf of every key package: a hundred years, the same for everybody.
///
/// An MLS lifetime binds a leaf for as long as its owner does not commit. OpenMLS checks it against the *system clock* on
/// every join and whenever a follower is founded, so a member that is idle for longer than a short lifetime would lock
/// everybody else out. What a lifetime is for is done elsewhere: a device certificate carries its own times and can be
/// revoked, and the server replaces key packages. The constant also keeps clocks out of this crate. A leaf with any other
/// lifetime is refused ([`crate::Violation::Lifetime`]), because one short-lived leaf would be enough to lock
/// joiners out later.
pub fn lifetime() -> Lifetime {
    Lifetime::init(NOT_BEFORE, NOT_AFTER)
}

/// What every leaf says about itself. Explicit, because the default of OpenMLS does not name [`SUITE`].
pub fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE, CLASSICAL_SUITE]),
        Some(&[certificate_type(), ExtensionType::LastResort]),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

/// [`CERTIFICATE_EXTENSION`] as OpenMLS names it.
pub(crate) fn certificate_type() -> ExtensionType {
    ExtensionType::Unknown(CERTIFICATE_EXTENSION)
}

/// What a member of our groups must support. The certificate's type has to be named here: otherwise a later update
/// fails although creation worked.
pub(crate) fn required_capabilities() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(&[certificate_type()], &[], &[CredentialType::Basic])
}

/// The one external sender (RFC 9420 §12.1.8.1) of a group on the server with this key.
pub(crate) fn external_sender(server_key: &[u8]) -> ExternalSender {
    ExternalSender::new(SignaturePublicKey::from(server_key), BasicCredential::new(SERVER_IDENTITY.to_vec()).into())
}

/// The extensions of a new group's GroupContext.
pub(crate) fn group_context_extensions(
    certificate: &[u8],
    server_key: &[u8; 32],
) -> Result<Extensions<GroupContext>, InvalidExtensionError> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required_capabilities()),
        Extension::ExternalSenders(vec![external_sender(server_key)]),
        Extension::Unknown(CERTIFICATE_EXTENSION, UnknownExtension(certificate.to_vec())),
    ])
}

/// The configuration of every group, whether created or joined.
///
/// - Handshakes are PublicMessages, in and out, so that the server can follow the group.
/// - No keys of past epochs are kept: they would put whole member lists into the blob that each message rewrites, and
///   the server refuses messages of past epochs anyway.
/// - The ratchet tree travels beside the message, not in it: the server has it already.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(SenderRatchetConfiguration::default())
        .build()
}

#[cfg(test)]
mod tests {
    use openmls::prelude::tls_codec::Serialize as _;

    use super::*;

    #[test]
    fn what_a_leaf_says_of_itself_is_frozen() {
        let golden = [
            &[2, 0, 1][..],               // versions: mls10
            &[4, 0x00, 0x4F, 0x00, 0x01], // cipher suites: hybrid, classical
            &[4, 0xF0, 0xC5, 0x00, 0x0A], // extensions: certificate, last resort
            &[0],                         // proposals: those of RFC 9420 go without saying
            &[2, 0, 1],                   // credentials: basic
        ];
        assert_eq!(capabilities().tls_serialize_detached().expect("encoded"), golden.concat());
        assert_eq!((lifetime().not_before(), lifetime().not_after()), (1_577_836_800, 4_733_510_400));
    }

    #[test]
    fn what_a_group_context_holds_is_frozen() {
        let golden = [
            &[0x40, 70][..],       // 70 bytes, in the two-byte form
            &[0x00, 0x03, 7],      // required_capabilities
            &[2, 0xF0, 0xC5],      //   extensions: certificate
            &[0],                  //   proposals
            &[2, 0, 1],            //   credentials: basic
            &[0x00, 0x05, 43, 42], // external_senders, one
            &[32],                 //   signature_key
            &[9; 32],
            &[0, 1, 6], //   basic credential
            b"server",
            &[0xF0, 0xC5, 11], // certificate
            b"certificate",
        ];
        let extensions = group_context_extensions(b"certificate", &[9; 32]).expect("extensions");
        assert_eq!(extensions.tls_serialize_detached().expect("encoded"), golden.concat());
    }
}
