//! What we demand beyond RFC 9420. Client and server ask the same functions, so neither accepts what the other refuses.

use openmls::group::{GroupContext, StagedCommit};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{Ciphersuite, CredentialType, Extension, KeyPackage, LeafNode, Proposal, VerifiableCiphersuite};
use openmls::treesync::LeafNodeSource;
use subrosa_types::ConversationId;

use crate::suite::{self, CERTIFICATE, CERTIFICATE_EXTENSION, SUITE};

/// A rule of ours that something valid under RFC 9420 breaks. The peer who made it is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Another cipher suite than [`SUITE`].
    #[error("the cipher suite is not ours")]
    Suite,
    /// The group id is not a conversation id (16 bytes).
    #[error("the group id is no conversation id")]
    GroupId,
    /// A leaf that does not say it supports our suite, the certificate extension and basic credentials.
    #[error("a leaf does not support what our groups need")]
    Capabilities,
    /// A leaf with another kind of credential than basic.
    #[error("the credential is not a basic one")]
    Credential,
    /// A leaf with another lifetime than [`suite::lifetime`].
    #[error("the lifetime of a leaf is not the one that all have")]
    Lifetime,
    /// The GroupContext has no certificate, or one that is too large.
    #[error("the group has no certificate of acceptable size")]
    Certificate,
    /// The GroupContext does not require what we require.
    #[error("the group does not require what our groups require")]
    RequiredCapabilities,
    /// The external senders are not exactly one server key.
    #[error("the group has other external senders than one server")]
    ExternalSenders,
    /// An extension in the GroupContext that we do not use.
    #[error("the group context holds an extension that we do not use")]
    Extension,
    /// A proposal of a kind that we do not use (GroupContextExtensions, ReInit, PreSharedKey, …), or by somebody who
    /// may not make it.
    #[error("a proposal that is not allowed here: {0}")]
    Proposal(&'static str),
    /// An external commit that replaces the leaf of another key than its own. Coming back is only for oneself.
    #[error("an external commit replaces somebody else's leaf")]
    ForeignResync,
    /// A handshake in a PrivateMessage, which the server could not follow, or an application message in the clear.
    #[error("a handshake must be public and an application message private")]
    WireFormat,
}

/// The rules for every leaf of a group.
pub(crate) fn check_leaf(leaf: &LeafNode) -> Result<(), Violation> {
    let capabilities = leaf.capabilities();
    if !capabilities.ciphersuites().contains(&VerifiableCiphersuite::from(SUITE))
        || !capabilities.extensions().contains(&suite::certificate_type())
        || !capabilities.credentials().contains(&CredentialType::Basic)
    {
        return Err(Violation::Capabilities);
    }
    if leaf.credential().credential_type() != CredentialType::Basic {
        return Err(Violation::Credential);
    }
    Ok(())
}

/// The rules for a key package, whether offered or in an Add.
pub(crate) fn check_key_package(package: &KeyPackage) -> Result<(), Violation> {
    check_suite(package.ciphersuite())?;
    if *package.life_time() != suite::lifetime() {
        return Err(Violation::Lifetime);
    }
    check_leaf(package.leaf_node())
}

/// The rules for the leaf of a group's founder, which is made like that of a key package.
pub(crate) fn check_founder(leaf: &LeafNode) -> Result<(), Violation> {
    match leaf.leaf_node_source() {
        LeafNodeSource::KeyPackage(lifetime) if *lifetime == suite::lifetime() => check_leaf(leaf),
        _ => Err(Violation::Lifetime),
    }
}

fn check_suite(suite: Ciphersuite) -> Result<(), Violation> {
    if suite == SUITE { Ok(()) } else { Err(Violation::Suite) }
}

/// The rules for a group, which hold in every epoch because no commit of ours changes them.
pub(crate) fn check_context(context: &GroupContext) -> Result<ConversationId, Violation> {
    check_suite(context.ciphersuite())?;
    let conversation = ConversationId::from_slice(context.group_id().as_slice()).map_err(|_| Violation::GroupId)?;
    if certificate(context).is_none_or(|certificate| certificate.is_empty() || certificate.len() > CERTIFICATE) {
        return Err(Violation::Certificate);
    }
    if context.required_capabilities() != Some(&suite::required_capabilities()) {
        return Err(Violation::RequiredCapabilities);
    }
    if server_key(context).is_none() {
        return Err(Violation::ExternalSenders);
    }
    let known = |extension: &Extension| {
        matches!(
            extension,
            Extension::RequiredCapabilities(_)
                | Extension::ExternalSenders(_)
                | Extension::Unknown(CERTIFICATE_EXTENSION, _)
        )
    };
    if !context.extensions().iter().all(known) {
        return Err(Violation::Extension);
    }
    Ok(conversation)
}

/// The group certificate, if the context has one.
pub(crate) fn certificate(context: &GroupContext) -> Option<&[u8]> {
    context.extensions().unknown(CERTIFICATE_EXTENSION).map(|extension| extension.0.as_slice())
}

/// The key of the one external sender, if there is exactly one of the expected form.
pub(crate) fn server_key(context: &GroupContext) -> Option<[u8; 32]> {
    let [sender] = context.extensions().external_senders()?.as_slice() else { return None };
    // OpenMLS keeps the fields to itself: signature_key<V> comes first, and one byte holds a length below 64.
    let encoded = sender.tls_serialize_detached().ok()?;
    let (&length, rest) = encoded.split_first()?;
    let key: [u8; 32] = rest.get(..usize::from(length))?.try_into().ok()?;
    (*sender == suite::external_sender(&key)).then_some(key)
}

/// The rules for what a commit carries: Add, Update and Remove, and ExternalInit of a joiner.
pub(crate) fn check_commit(staged: &StagedCommit) -> Result<(), Violation> {
    for queued in staged.queued_proposals() {
        match queued.proposal() {
            Proposal::Add(add) => check_key_package(add.key_package())?,
            Proposal::Update(update) => check_leaf(update.leaf_node())?,
            Proposal::Remove(_) | Proposal::ExternalInit(_) => {}
            other => return Err(Violation::Proposal(name(other))),
        }
    }
    staged.update_path_leaf_node().map_or(Ok(()), check_leaf)
}

/// A proposal's kind in words, for errors and logs.
pub(crate) fn name(proposal: &Proposal) -> &'static str {
    match proposal {
        Proposal::Add(_) => "Add",
        Proposal::Update(_) => "Update",
        Proposal::Remove(_) => "Remove",
        Proposal::PreSharedKey(_) => "PreSharedKey",
        Proposal::ReInit(_) => "ReInit",
        Proposal::ExternalInit(_) => "ExternalInit",
        Proposal::GroupContextExtensions(_) => "GroupContextExtensions",
        Proposal::SelfRemove => "SelfRemove",
        _ => "a proposal of an unknown kind",
    }
}
