//! Members as the rest of the system sees them: a leaf, an opaque credential and a signature key.

use std::fmt;

use openmls::prelude::{LeafNode, LeafNodeIndex};

/// Position of a leaf in the ratchet tree (RFC 9420 §4.1.1). Blank leaves are filled again, so an index names a member
/// only within one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(pub u32);

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<LeafNodeIndex> for LeafIndex {
    fn from(index: LeafNodeIndex) -> Self {
        Self(index.u32())
    }
}

impl From<LeafIndex> for LeafNodeIndex {
    fn from(index: LeafIndex) -> Self {
        Self::new(index.0)
    }
}

/// A member: one device's leaf in one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where in the tree.
    pub leaf: LeafIndex,
    /// Identity of the basic credential (RFC 9420 §5.3), not interpreted here: the engine puts a signed device
    /// certificate there and must check it, and that it names [`Self::signature_key`].
    pub credential: Vec<u8>,
    /// The Ed25519 key that signs for this leaf, 32 bytes. MLS has checked that the member holds it.
    pub signature_key: Vec<u8>,
}

impl Member {
    pub(crate) fn of_leaf(leaf: impl Into<LeafIndex>, node: &LeafNode) -> Self {
        Self {
            leaf: leaf.into(),
            credential: node.credential().serialized_content().to_vec(),
            signature_key: node.signature_key().as_slice().to_vec(),
        }
    }
}

impl From<openmls::prelude::Member> for Member {
    fn from(member: openmls::prelude::Member) -> Self {
        Self {
            leaf: member.index.into(),
            credential: member.credential.serialized_content().to_vec(),
            signature_key: member.signature_key,
        }
    }
}
