//! People: directory entries checked and pinned, names, and the devices behind MLS leaves.
//!
//! A leaf counts only if its credential is a device certificate signed by the account key that the followed role log holds
//! for that account. So neither the server nor a member can put a device of somebody else into a group.

use std::collections::HashMap;

use subrosa_crypto::device::{ClaimedDevice, Device};
use subrosa_crypto::{Account, VerifyingKey, account, statement};
use subrosa_mls::Member;
use subrosa_types::{AccountId, ConversationId, Epoch, RolePosition, Timestamp};
use subrosa_wire::proto;

use crate::api::{Event, Failure};
use crate::engine::Engine;
use crate::fault::{Fault, Outcome};
use crate::store::contacts::{self, Contact};
use crate::words;

/// Credentials that were verified, with the key that they were verified against. Bounded: emptied when it grows large.
pub type VerifiedLeaves = HashMap<Vec<u8>, (VerifyingKey, Device)>;

const LEAVES: usize = 8192;

/// Why a leaf does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafRefusal {
    /// The role log does not know the account (yet).
    UnknownAccount(AccountId),
    /// The credential is no certificate signed by the account's key.
    NotCertified,
}

impl Engine {
    /// The device behind a leaf.
    pub(crate) fn device_of(&mut self, member: &Member) -> Result<Device, LeafRefusal> {
        self.device_at(member, self.roles.position())
    }

    /// The device behind a leaf, certified by the key that its account had at this place in the role log.
    pub(crate) fn device_at(&mut self, member: &Member, position: RolePosition) -> Result<Device, LeafRefusal> {
        let claimed = ClaimedDevice::parse(&member.credential).map_err(|_| LeafRefusal::NotCertified)?;
        let account = claimed.account_id();
        let key = self.roles.key_at(account, position).ok_or(LeafRefusal::UnknownAccount(account))?;
        if let Some((verified_with, device)) = self.leaves.get(&member.credential)
            && *verified_with == key
        {
            return Ok(device.clone());
        }
        let verified = claimed.verify(&key);
        #[cfg(feature = "planted-faults")]
        let verified = if self.config.faults.skip_device_check {
            verified.or_else(|_| claimed.danger_unverified())
        } else {
            verified
        };
        let device = verified.map_err(|_| LeafRefusal::NotCertified)?;
        if device.key.as_bytes().as_slice() != member.signature_key.as_slice() {
            return Err(LeafRefusal::NotCertified);
        }
        if self.leaves.len() >= LEAVES {
            self.leaves.clear();
        }
        self.leaves.insert(member.credential.clone(), (key, device.clone()));
        Ok(device)
    }

    /// The device behind a leaf, also one from before its account started over: what it said until then counts, and its leaf
    /// stays until the removal that the server proposes is committed. Nothing is sent meanwhile, see [`Self::all_certified`].
    pub(crate) fn device_once(&mut self, member: &Member) -> Result<Device, LeafRefusal> {
        self.device_of(member).or_else(|refusal| {
            let claimed = ClaimedDevice::parse(&member.credential).map_err(|_| refusal)?;
            self.roles
                .former_keys(claimed.account_id())
                .find_map(|key| claimed.verify(&key).ok())
                .filter(|device| device.key.as_bytes().as_slice() == member.signature_key.as_slice())
                .ok_or(refusal)
        })
    }

    /// Whether everybody who can read what is sent now is a device that its account certifies now.
    pub(crate) fn all_certified(&mut self, conversation: ConversationId, epoch: Epoch) -> Outcome<bool> {
        let place = (epoch, self.roles.position());
        if self.outgoing.certified.get(&conversation) == Some(&place) {
            return Ok(true);
        }
        let members = self.group(conversation)?.map(subrosa_mls::Group::members).unwrap_or_default();
        let all = members.iter().all(|member| self.device_of(member).is_ok());
        if all {
            self.outgoing.certified.insert(conversation, place);
        }
        Ok(all)
    }

    /// The accounts of a conversation's members, each once, in order; leaves that no longer verify are left out.
    pub(crate) fn member_accounts(&mut self, conversation: ConversationId) -> Outcome<Vec<AccountId>> {
        let members = self.group(conversation)?.map(subrosa_mls::Group::members).unwrap_or_default();
        let mut accounts: Vec<AccountId> = members
            .iter()
            .filter_map(|member| ClaimedDevice::parse(&member.credential).ok().map(|claimed| claimed.account_id()))
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        Ok(accounts)
    }

    /// The name of an account, for people. Unknown ones are shown by their id until they are looked up.
    pub(crate) fn name_of(&self, account: AccountId) -> Outcome<String> {
        if let Some(profile) = &self.profile
            && profile.account == account
        {
            return Ok(profile.username.to_string());
        }
        let contact = contacts::by_account(&self.connection, account)?;
        Ok(contact.map_or_else(|| account.to_string(), |contact| contact.username.to_string()))
    }

    /// Whether the account's name is known here.
    pub(crate) fn is_known(&self, account: AccountId) -> Outcome<bool> {
        let own = self.profile.as_ref().is_some_and(|profile| profile.account == account);
        Ok(own || contacts::by_account(&self.connection, account)?.is_some())
    }

    /// Checks a directory entry and pins what it says. `Ok(Err)` is a refusal that people must hear of.
    ///
    /// The account's key must also be the one in the followed role log: the directory cannot say something else to one
    /// client than the log says to all.
    pub(crate) fn take_entry(&mut self, entry: &proto::DirectoryEntry) -> Outcome<Result<Account, Failure>> {
        let Some(profile) = &self.profile else { return Err(Fault::Protocol("a directory entry before the login")) };
        let Ok(account) = account::verify_directory_entry(entry, &profile.server_key) else {
            return Ok(Err(words::bad_attestation("this person")));
        };
        let name = format!("@{}", account.username);
        if self.roles.key(account.id) != Some(account.key) {
            return Ok(Err(words::bad_attestation(&name)));
        }
        let head = account.devices.head_hash().to_vec();
        let Some(known) = contacts::by_account(&self.connection, account.id)? else {
            let contact = Contact {
                account: account.id,
                username: account.username.clone(),
                key: account.key,
                new_key: None,
                verified: false,
                device_list: head,
            };
            contacts::save(&self.connection, &contact)?;
            return Ok(Ok(account));
        };
        // Of a key that was just accepted no list was seen yet.
        let same_list = known.device_list.is_empty()
            || account.devices.entries().iter().any(|signed| statement::hash(signed).as_slice() == known.device_list);
        if known.username != account.username || (known.key == account.key && !same_list) {
            return Ok(Err(words::bad_attestation(&name)));
        }
        contacts::save(&self.connection, &Contact { device_list: head, ..known })?;
        Ok(Ok(account))
    }

    /// An account started over with a new key: whoever pinned the old one has to accept the new one first.
    pub(crate) fn key_changed(&mut self, account: AccountId, key: VerifyingKey) -> Outcome {
        let Some(contact) = contacts::by_account(&self.connection, account)? else { return Ok(()) };
        if contact.key == key {
            return contacts::save(&self.connection, &Contact { new_key: None, ..contact }).map_err(Fault::from);
        }
        let event = Event::KeyChanged { name: contact.username.to_string(), was_verified: contact.verified };
        contacts::save(&self.connection, &Contact { new_key: Some(key), device_list: Vec::new(), ..contact })?;
        self.emit(event);
        Ok(())
    }

    /// The person at this end accepts a changed key (or compared it: `verified`).
    pub(crate) fn accept_key(&mut self, contact: Contact, verified: bool) -> Outcome {
        let key = contact.new_key.unwrap_or(contact.key);
        // A key that was accepted without comparing is not verified, whatever the old one was.
        let verified = verified || (contact.verified && contact.new_key.is_none());
        contacts::save(&self.connection, &Contact { key, new_key: None, verified, ..contact }).map_err(Fault::from)
    }

    /// The first member of a conversation whose changed key was not accepted yet.
    pub(crate) fn unaccepted_key(&mut self, conversation: ConversationId) -> Outcome<Option<Contact>> {
        #[cfg(feature = "planted-faults")]
        if self.config.faults.ignore_changed_key {
            return Ok(None);
        }
        let mut accounts = self.member_accounts(conversation)?;
        accounts.extend(crate::store::conversations::load(&self.connection, conversation)?.and_then(|c| c.peer));
        for account in accounts {
            if let Some(contact) = contacts::by_account(&self.connection, account)?
                && contact.new_key.is_some()
            {
                return Ok(Some(contact));
            }
        }
        Ok(None)
    }

    /// A time that the server tells: it may say what it likes, and what is stored and shown is a year of four digits.
    pub(crate) const fn told_time(at: i64) -> Timestamp {
        const LAST: i64 = 253_402_300_799_999;
        Timestamp(if at < 0 {
            0
        } else if at > LAST {
            LAST
        } else {
            at
        })
    }

    /// Milliseconds of this input, for what is stored with a time of its own.
    pub(crate) const fn clamp_sent_at(sent_at: Timestamp, received_at: Timestamp) -> Timestamp {
        // A sender's clock may be wrong; a day ahead is shown as it was received.
        if sent_at.0 > received_at.0.saturating_add(86_400_000) { received_at } else { sent_at }
    }
}
