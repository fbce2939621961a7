//! The storage trait of OpenMLS, spelled out over the few helpers of [`Store`].
//!
//! One line of substance a method. Groups of three (write, read, delete) for each kind of value.

use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider, traits};

use super::{Kind, StorageError, Store, value};

type Done = Result<(), StorageError>;
type Found<T> = Result<Option<T>, StorageError>;

impl StorageProvider<V> for Store<'_> {
    type Error = StorageError;

    fn write_mls_join_config<G: traits::GroupId<V>, T: traits::MlsGroupJoinConfig<V>>(
        &self,
        group: &G,
        value: &T,
    ) -> Done {
        self.put(group, Kind::JoinConfig, &[], value)
    }

    fn mls_group_join_config<G: traits::GroupId<V>, T: traits::MlsGroupJoinConfig<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::JoinConfig, &[])
    }

    fn delete_group_config<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::JoinConfig, &[])
    }

    fn write_tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, group: &G, value: &T) -> Done {
        self.put(group, Kind::Tree, &[], value)
    }

    fn tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::Tree, &[])
    }

    fn delete_tree<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::Tree, &[])
    }

    fn write_interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        group: &G,
        value: &T,
    ) -> Done {
        self.put(group, Kind::InterimTranscriptHash, &[], value)
    }

    fn interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        group: &G,
    ) -> Found<T> {
        self.get(group, Kind::InterimTranscriptHash, &[])
    }

    fn delete_interim_transcript_hash<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::InterimTranscriptHash, &[])
    }

    fn write_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(&self, group: &G, value: &T) -> Done {
        self.put(group, Kind::Context, &[], value)
    }

    fn group_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::Context, &[])
    }

    fn delete_context<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::Context, &[])
    }

    fn write_confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(
        &self,
        group: &G,
        value: &T,
    ) -> Done {
        self.put(group, Kind::ConfirmationTag, &[], value)
    }

    fn confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::ConfirmationTag, &[])
    }

    fn delete_confirmation_tag<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::ConfirmationTag, &[])
    }

    fn write_message_secrets<G: traits::GroupId<V>, T: traits::MessageSecrets<V>>(&self, group: &G, value: &T) -> Done {
        self.put(group, Kind::MessageSecrets, &[], value)
    }

    fn message_secrets<G: traits::GroupId<V>, T: traits::MessageSecrets<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::MessageSecrets, &[])
    }

    fn delete_message_secrets<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::MessageSecrets, &[])
    }

    fn write_resumption_psk_store<G: traits::GroupId<V>, T: traits::ResumptionPskStore<V>>(
        &self,
        group: &G,
        value: &T,
    ) -> Done {
        self.put(group, Kind::ResumptionPsks, &[], value)
    }

    fn resumption_psk_store<G: traits::GroupId<V>, T: traits::ResumptionPskStore<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::ResumptionPsks, &[])
    }

    fn delete_all_resumption_psk_secrets<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::ResumptionPsks, &[])
    }

    fn write_own_leaf_index<G: traits::GroupId<V>, T: traits::LeafNodeIndex<V>>(&self, group: &G, value: &T) -> Done {
        self.put(group, Kind::OwnLeafIndex, &[], value)
    }

    fn own_leaf_index<G: traits::GroupId<V>, T: traits::LeafNodeIndex<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::OwnLeafIndex, &[])
    }

    fn delete_own_leaf_index<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::OwnLeafIndex, &[])
    }

    fn write_group_epoch_secrets<G: traits::GroupId<V>, T: traits::GroupEpochSecrets<V>>(
        &self,
        group: &G,
        value: &T,
    ) -> Done {
        self.put(group, Kind::EpochSecrets, &[], value)
    }

    fn group_epoch_secrets<G: traits::GroupId<V>, T: traits::GroupEpochSecrets<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::EpochSecrets, &[])
    }

    fn delete_group_epoch_secrets<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::EpochSecrets, &[])
    }

    fn write_group_state<T: traits::GroupState<V>, G: traits::GroupId<V>>(&self, group: &G, value: &T) -> Done {
        self.put(group, Kind::GroupState, &[], value)
    }

    fn group_state<T: traits::GroupState<V>, G: traits::GroupId<V>>(&self, group: &G) -> Found<T> {
        self.get(group, Kind::GroupState, &[])
    }

    fn delete_group_state<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete(group, Kind::GroupState, &[])
    }

    fn write_application_export_tree<G: traits::GroupId<V>, T: traits::ApplicationExportTree<V>>(
        &self,
        group: &G,
        value: &T,
    ) -> Done {
        self.put(group, Kind::ExportTree, &[], value)
    }

    fn application_export_tree<G: traits::GroupId<V>, T: traits::ApplicationExportTree<V>>(
        &self,
        group: &G,
    ) -> Found<T> {
        self.get(group, Kind::ExportTree, &[])
    }

    fn delete_application_export_tree<G: traits::GroupId<V>, T: traits::ApplicationExportTree<V>>(
        &self,
        group: &G,
    ) -> Done {
        self.delete(group, Kind::ExportTree, &[])
    }

    fn append_own_leaf_node<G: traits::GroupId<V>, T: traits::LeafNode<V>>(&self, group: &G, value: &T) -> Done {
        self.append(group, Kind::OwnLeafNode, value)
    }

    fn own_leaf_nodes<G: traits::GroupId<V>, T: traits::LeafNode<V>>(&self, group: &G) -> Result<Vec<T>, StorageError> {
        Ok(self.list(group, Kind::OwnLeafNode)?.into_iter().map(|(_, node)| node).collect())
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.delete_all(group, Kind::OwnLeafNode)
    }

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        group: &G,
        reference: &R,
        proposal: &T,
    ) -> Done {
        self.put(group, Kind::Proposal, &value::encode(Kind::Proposal, reference)?, proposal)
    }

    fn queued_proposal_refs<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<R>, StorageError> {
        let rows = self.list::<serde::de::IgnoredAny>(group, Kind::Proposal)?;
        rows.iter().map(|(reference, _)| value::decode(Kind::Proposal, reference)).collect()
    }

    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<(R, T)>, StorageError> {
        let rows = self.list(group, Kind::Proposal)?;
        rows.into_iter()
            .map(|(reference, proposal)| Ok((value::decode(Kind::Proposal, &reference)?, proposal)))
            .collect()
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, group: &G, reference: &R) -> Done {
        self.delete(group, Kind::Proposal, &value::encode(Kind::Proposal, reference)?)
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, group: &G) -> Done {
        self.delete_all(group, Kind::Proposal)
    }

    fn write_encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[T],
    ) -> Done {
        self.put(group, Kind::EpochKeys, &value::item(Kind::EpochKeys, &(epoch, leaf))?, &pairs)
    }

    fn encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<T>, StorageError> {
        let pairs = self.get(group, Kind::EpochKeys, &value::item(Kind::EpochKeys, &(epoch, leaf))?)?;
        Ok(pairs.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Done {
        self.delete(group, Kind::EpochKeys, &value::item(Kind::EpochKeys, &(epoch, leaf))?)
    }

    fn write_signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        key: &K,
        value: &T,
    ) -> Done {
        self.put_key(Kind::SignatureKey, key, value)
    }

    fn signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        key: &K,
    ) -> Found<T> {
        self.get_key(Kind::SignatureKey, key)
    }

    fn delete_signature_key_pair<K: traits::SignaturePublicKey<V>>(&self, key: &K) -> Done {
        self.delete_key(Kind::SignatureKey, key)
    }

    fn write_encryption_key_pair<K: traits::EncryptionKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        key: &K,
        value: &T,
    ) -> Done {
        self.put_key(Kind::EncryptionKey, key, value)
    }

    fn encryption_key_pair<T: traits::HpkeKeyPair<V>, K: traits::EncryptionKey<V>>(&self, key: &K) -> Found<T> {
        self.get_key(Kind::EncryptionKey, key)
    }

    fn delete_encryption_key_pair<K: traits::EncryptionKey<V>>(&self, key: &K) -> Done {
        self.delete_key(Kind::EncryptionKey, key)
    }

    fn write_key_package<K: traits::HashReference<V>, T: traits::KeyPackage<V>>(&self, key: &K, value: &T) -> Done {
        self.put_key(Kind::KeyPackage, key, value)
    }

    fn key_package<K: traits::HashReference<V>, T: traits::KeyPackage<V>>(&self, key: &K) -> Found<T> {
        self.get_key(Kind::KeyPackage, key)
    }

    fn delete_key_package<K: traits::HashReference<V>>(&self, key: &K) -> Done {
        self.delete_key(Kind::KeyPackage, key)
    }

    fn write_psk<K: traits::PskId<V>, T: traits::PskBundle<V>>(&self, key: &K, value: &T) -> Done {
        self.put_key(Kind::Psk, key, value)
    }

    fn psk<T: traits::PskBundle<V>, K: traits::PskId<V>>(&self, key: &K) -> Found<T> {
        self.get_key(Kind::Psk, key)
    }

    fn delete_psk<K: traits::PskId<V>>(&self, key: &K) -> Done {
        self.delete_key(Kind::Psk, key)
    }
}
