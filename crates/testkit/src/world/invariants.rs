//! What is checked: something at every step, and everything when the world has healed and come to rest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use subrosa_crypto::RoleChange;
use subrosa_crypto::statement;
use subrosa_engine::api::MessageRow;
use subrosa_engine::content::Content;
use subrosa_engine::store::role_log;
use subrosa_types::{AccountId, ConversationId, DeviceId, IdempotencyKey, Role};
use subrosa_wire::proto::{ClientFrame, client_frame};

use super::World;
use super::oracle::{self, Intent, Stay, Story, To};
use super::plan::NAMES;

/// Entries and requests that may wait in a device's memory at once.
const MOST_WAITING: usize = 8_192;

/// A message in a device's store.
struct Stored {
    id: IdempotencyKey,
    sender: AccountId,
    sequence: u64,
    /// It came over a link, behind this place.
    direct: bool,
    text: Option<String>,
}

type Checked<T = ()> = Result<T, String>;

impl World {
    // ---- At every step -------------------------------------------------------------------------------------------

    /// A device shows a message: somebody must have sent it so.
    pub(super) fn check_shown(&mut self, index: usize, row: &MessageRow) {
        let sent = self.oracle.intents.get(&IdempotencyKey::from_bytes(*row.id.as_bytes()));
        let fits = sent.is_some_and(|intent| intent.text == row.text && self.is_named(intent.account, &row.from));
        if !fits {
            self.violate(format!("device {index} shows what nobody sent: {row:?}"));
        }
    }

    /// Who has an attested name is called by it, others by their id.
    fn is_named(&self, account: usize, name: &str) -> bool {
        let by_id =
            || self.accounts().is_ok_and(|all| all.iter().any(|(id, of)| *of == account && id.to_string() == name));
        NAMES[account] == name || by_id()
    }

    /// A device sends a frame: nothing may go to a key that was not accepted.
    pub(super) fn check_sent(&mut self, index: usize, frame: &Bytes) {
        let Ok(frame) = ClientFrame::decode(frame.clone()) else { return };
        let Some(client_frame::Request::Append(append)) = frame.request else { return };
        let unaccepted = self.nodes[index].database.look().query_row(
            "SELECT EXISTS (SELECT 1 FROM conversations JOIN contacts ON contacts.account = conversations.peer
             WHERE conversations.id = ?1 AND contacts.new_key IS NOT NULL)",
            [append.conversation_id],
            |row| row.get(0),
        );
        if unaccepted == Ok(true) {
            self.violate(format!("device {index} sends to a changed key that nobody accepted"));
        }
    }

    /// The server took a step: its role log must keep to the rules.
    pub(super) fn watch_server(&mut self) {
        let Some(key) = self.server.core.as_ref().map(subrosa_server::core::Core::server_key) else { return };
        if let Err(why) = self.oracle.follow_roles(self.server.database.look(), &key) {
            self.violate(why);
        }
    }

    /// Whose the super admin role is.
    pub(super) fn super_admin(&self) -> Option<usize> {
        let id = self.oracle.roles.super_admin()?;
        self.accounts().ok()?.get(&id).copied()
    }

    // ---- At rest -------------------------------------------------------------------------------------------------

    /// Everything. A server that has answered all and still writes is unplugged first: what counts is what is on its disk.
    pub(super) fn check_all(&mut self) {
        let writes = oracle::conversations(self.server.database.look()).is_err();
        if writes {
            self.server.core = None;
        }
        let checked = self.check_everything();
        let checked = if writes { checked.and(Err("the server rests in a transaction".into())) } else { checked };
        if let Err(why) = checked {
            self.violate(why);
        }
    }

    fn check_everything(&mut self) -> Checked {
        if self.most_waiting > MOST_WAITING {
            return Err(format!("{} things waited in the memory of one device", self.most_waiting));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some((id, purpose)) = node.commands.iter().next() {
                return Err(format!("device {index} never answered command {} ({purpose:?})", id.0));
            }
        }
        let accounts = self.accounts()?;
        self.check_roles(&accounts)?;
        let store = self.server.database.look();
        let mut placed: BTreeMap<IdempotencyKey, ConversationId> = BTreeMap::new();
        let mut reached: BTreeSet<IdempotencyKey> = BTreeSet::new();
        for id in oracle::conversations(store).map_err(|error| error.to_string())? {
            let story = self.oracle.replay(self.server.database.look(), id)?;
            for (_, key) in &story.messages {
                if self.oracle.intents.contains_key(key) && placed.insert(*key, id).is_some() {
                    return Err(format!("the message {key} is in two conversations"));
                }
            }
            self.check_story(&story, &accounts).map_err(|why| format!("conversation {id}: {why}"))?;
            let (counted, somewhere) =
                self.check_delivered(&story).map_err(|why| format!("conversation {id}: {why}"))?;
            placed.extend(counted.into_iter().map(|key| (key, id)));
            reached.extend(somewhere);
        }
        self.check_intents(&placed, &reached)
    }

    pub(super) fn accounts(&self) -> Checked<BTreeMap<AccountId, usize>> {
        let read = || -> rusqlite::Result<Vec<(Vec<u8>, String)>> {
            let mut statement = self.server.database.look().prepare_cached("SELECT id, username FROM account")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|error| error.to_string())?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, name)| {
                Some((AccountId::from_slice(&id).ok()?, NAMES.iter().position(|known| *known == name)?))
            })
            .collect())
    }

    /// One super admin, no role without a legal order, and the same log everywhere.
    fn check_roles(&mut self, accounts: &BTreeMap<AccountId, usize>) -> Checked {
        let entries =
            oracle::role_entries(self.server.database.look(), Default::default()).map_err(|error| error.to_string())?;
        let mut log = subrosa_crypto::RoleLog::new();
        for entry in &entries {
            let event = log.append_trusted(entry).map_err(|error| error.to_string())?;
            if let RoleChange::RoleSet { actor, target, to, .. } = event.change {
                let order = (accounts.get(&actor).copied(), accounts.get(&target).copied());
                let given = matches!(order, (Some(by), Some(of)) if self.oracle.orders.contains(&(by, of, to)));
                if !given {
                    return Err(format!("a role changed that nobody ordered: {:?}", event.change));
                }
            }
            if let RoleChange::HandedOver { from, to } = event.change {
                let order = (accounts.get(&from).copied(), accounts.get(&to).copied());
                let given =
                    matches!(order, (Some(by), Some(of)) if self.oracle.orders.contains(&(by, of, Role::SuperAdmin)));
                if !given {
                    return Err("the super admin role went over though nobody offered it".into());
                }
            }
            let highest = log.accounts().filter(|(_, role)| *role == Role::SuperAdmin).count();
            if highest != 1 {
                return Err(format!("there are {highest} super admins"));
            }
        }
        let hashes: Vec<[u8; 32]> = entries.iter().map(statement::hash).collect();
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_enrolled()) {
            if self.is_fooled(index) {
                continue;
            }
            let followed = role_log::entries(node.database.look()).map_err(|error| error.to_string())?;
            let followed: Vec<[u8; 32]> = followed.iter().map(statement::hash).collect();
            if followed != hashes {
                return Err(format!("device {index} follows another role log than the server has"));
            }
        }
        Ok(())
    }

    fn check_story(&mut self, story: &Story, accounts: &BTreeMap<AccountId, usize>) -> Checked {
        if let Some(why) = story.faults.first() {
            return Err(why.clone());
        }
        if story.illegal.is_some() && !self.liar.is_told() {
            return Err("the server ordered a commit that its author's role does not allow".into());
        }
        self.check_server_state(story)?;
        self.check_order_of_senders(story)?;
        let mut authenticators: BTreeSet<(u64, Vec<u8>)> = BTreeSet::new();
        for index in 0..self.nodes.len() {
            let Some(device) = self.nodes[index].device_id() else { continue };
            if !self.nodes[index].is_enrolled() {
                continue;
            }
            self.check_refusal(story, index, device).map_err(|why| format!("device {index}: {why}"))?;
            self.check_messages(story, accounts, index, device).map_err(|why| format!("device {index}: {why}"))?;
            if story.illegal.is_some() || self.is_fooled(index) || !self.follows(index, story.id)? {
                continue;
            }
            if !story.stays_now(device) {
                return Err(format!("device {index} follows a conversation that it is not in"));
            }
            let row = self.nodes[index].engine.as_mut().and_then(|engine| engine.epoch_authenticator(story.id));
            let (epoch, authenticator) = row.ok_or_else(|| format!("device {index} has no group"))?;
            if epoch != story.follower.epoch() {
                return Err(format!("device {index} is in epoch {epoch} and the log in {}", story.follower.epoch()));
            }
            authenticators.insert((epoch.0, authenticator));
        }
        if authenticators.len() > 1 {
            return Err("two members of one epoch do not agree on its authenticator".into());
        }
        self.check_present(story)
    }

    /// What one device says in a conversation stands there in the order in which it was said. (A server that refuses a
    /// message for now waits for it by its clock.)
    fn check_order_of_senders(&self, story: &Story) -> Checked {
        if self.server.jumped {
            return Ok(());
        }
        let mut last: BTreeMap<(usize, u32), usize> = BTreeMap::new();
        for intent in story.messages.iter().filter_map(|(_, key)| self.oracle.intents.get(key)) {
            let before = last.insert((intent.node, intent.ended), intent.number);
            if before.is_some_and(|before| before > intent.number) {
                return Err(format!("{:?} stands behind what was said after it", intent.text));
            }
        }
        Ok(())
    }

    /// The server's own account of a conversation is the one of its log.
    fn check_server_state(&self, story: &Story) -> Checked {
        let store = self.server.database.look();
        let read = || -> rusqlite::Result<(u64, Vec<Vec<u8>>)> {
            let (number, epoch): (i64, u64) = store
                .prepare_cached("SELECT no, epoch FROM conversation WHERE id = ?1")?
                .query_row([story.id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut statement = store.prepare_cached(
                "SELECT device.id FROM leaf JOIN device ON device.no = leaf.device WHERE conversation = ?1 ORDER BY device.id",
            )?;
            let leaves = statement.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok((epoch, leaves))
        };
        let (epoch, leaves) = read().map_err(|error| error.to_string())?;
        if epoch != story.follower.epoch().0 {
            return Err(format!("the server says epoch {epoch} and its log {}", story.follower.epoch()));
        }
        let members = story.follower.members();
        let mut members: Vec<Vec<u8>> = members
            .iter()
            .filter_map(|member| oracle::device(&member.credential))
            .map(|device| device.to_vec())
            .collect();
        members.sort_unstable();
        if leaves == members { Ok(()) } else { Err("the server's leaves are not those of the group".into()) }
    }

    /// Whether the device takes in this conversation's log. In an honest world no conversation is ever stopped.
    fn follows(&self, index: usize, id: ConversationId) -> Checked<bool> {
        let row = self.nodes[index].database.look().query_row(
            "SELECT state, blocked FROM conversations WHERE id = ?1",
            [id.as_bytes()],
            |row| Ok((row.get::<_, u8>(0)?, row.get::<_, Option<String>>(1)?)),
        );
        match row {
            Ok((6, _)) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(false),
            Ok((_, Some(why))) if self.liar.is_told() => {
                let _stopped_as_it_should = why;
                Ok(false)
            }
            Ok((_, Some(why))) => Err(format!("device {index} stopped a conversation: {why}")),
            Ok((2..=4, None)) => Ok(true),
            Ok((state, None)) => Err(format!("device {index} rests in state {state}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Exactly the messages of the device's time in the conversation, once, in the order of the log.
    fn check_messages(
        &self,
        story: &Story,
        accounts: &BTreeMap<AccountId, usize>,
        index: usize,
        device: DeviceId,
    ) -> Checked {
        let stored = self.stored(index, story.id)?;
        for message in &stored {
            let Some(intent) = self.oracle.intents.get(&message.id) else {
                return Err(format!("a message that nobody sent: {:?}", message.text));
            };
            if message.text.as_deref() != Some(intent.text.as_str())
                || accounts.get(&message.sender) != Some(&intent.account)
            {
                return Err(format!("{:?} is not what was sent: {:?}", message.text, intent.text));
            }
        }
        if self.is_fooled(index) {
            return Ok(());
        }
        self.check_order_on_device(&stored)?;
        let over_links: BTreeSet<IdempotencyKey> =
            stored.iter().filter(|message| message.direct).map(|message| message.id).collect();
        let none = Vec::new();
        let stays = story.stays.get(&device).unwrap_or(&none);
        // Whoever was in when the log broke its rules stopped there; whoever came later knows nothing of it.
        let legal = |stay: &Stay, sequence| {
            story.illegal.is_none_or(|(illegal, _)| sequence < illegal || stay.began_behind(illegal))
        };
        let mut found: Vec<(u64, IdempotencyKey)> =
            stored.iter().filter(|message| !message.direct).map(|message| (message.sequence, message.id)).collect();
        for message in stored.iter().filter(|message| message.direct) {
            if !story.private || !stays.iter().any(|stay| stay.holds_behind(message.sequence)) {
                return Err(format!("has {:?} over a link, from outside of its time there", message.text));
            }
        }
        let declined = !self.follows(index, story.id)?;
        for stay in stays {
            let wanted: Vec<(u64, IdempotencyKey)> = story
                .messages
                .iter()
                .filter(|(sequence, key)| {
                    stay.covers(*sequence)
                        && self.oracle.intents.contains_key(key)
                        && !over_links.contains(key)
                        && legal(stay, *sequence)
                })
                .copied()
                .collect();
            let has: Vec<(u64, IdempotencyKey)> =
                found.iter().filter(|(sequence, _)| stay.covers(*sequence)).copied().collect();
            found.retain(|(sequence, _)| !stay.covers(*sequence));
            // Who was removed, left or declined is not served any more: the end of that time may be missing, no more.
            let complete = stay.until.is_none() && !declined && story.illegal.is_none();
            let fits = if complete { has == wanted } else { wanted.starts_with(&has) };
            if !fits {
                return Err(format!("shows {} instead of {}", self.texts(&has), self.texts(&wanted)));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(format!("has what it must not have: {}", self.texts(&found))) }
    }

    /// What one device said stands on every other one in the order in which it was said, by whatever road it came. (A server
    /// that refuses a message for now waits for it by its clock.)
    fn check_order_on_device(&self, stored: &[Stored]) -> Checked {
        if self.server.jumped {
            return Ok(());
        }
        let mut last: BTreeMap<(usize, u32), usize> = BTreeMap::new();
        for intent in stored.iter().filter_map(|message| self.oracle.intents.get(&message.id)) {
            let before = last.insert((intent.node, intent.ended), intent.number);
            if before.is_some_and(|before| before > intent.number) {
                return Err(format!("{:?} is read behind what was said after it", intent.text));
            }
        }
        Ok(())
    }

    /// What a sender counts as delivered over links is on every device that was in the conversation then. Returns what is
    /// counted so, and what is on any device.
    fn check_delivered(&self, story: &Story) -> Checked<(Vec<IdempotencyKey>, Vec<IdempotencyKey>)> {
        let mut everywhere: BTreeMap<IdempotencyKey, Vec<usize>> = BTreeMap::new();
        let mut counted = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(device) = node.device_id() else { continue };
            for message in self.stored(index, story.id)? {
                everywhere.entry(message.id).or_default().push(index);
                let sent_here = self.oracle.intents.get(&message.id).is_some_and(|intent| {
                    intent.node == index && intent.ended == node.ended && intent.device.is_none_or(|own| own == device)
                });
                if message.direct && sent_here {
                    counted.push((message.id, message.sequence));
                }
            }
        }
        for (key, sequence) in &counted {
            for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_enrolled()) {
                let stays = node.device_id().and_then(|device| story.stays.get(&device));
                let was_in = stays.is_some_and(|stays| stays.iter().any(|stay| stay.holds_behind(*sequence)));
                if was_in && !everywhere.get(key).is_some_and(|nodes| nodes.contains(&index)) {
                    let text = self.oracle.intents.get(key).map_or("?", |intent| intent.text.as_str());
                    return Err(format!("{text:?} counts as delivered and is not on device {index}"));
                }
            }
        }
        Ok((counted.into_iter().map(|(key, _)| key).collect(), everywhere.into_keys().collect()))
    }

    fn texts(&self, messages: &[(u64, IdempotencyKey)]) -> String {
        let text = |key: &IdempotencyKey| self.oracle.intents.get(key).map_or("?", |intent| intent.text.as_str());
        let all: Vec<String> = messages.iter().map(|(sequence, key)| format!("{sequence} {:?}", text(key))).collect();
        format!("[{}]", all.join(", "))
    }

    /// A commit that was not allowed is merged by nobody, not even by whoever made it. (Who enters behind it does not.)
    fn check_refusal(&mut self, story: &Story, index: usize, device: DeviceId) -> Checked {
        let Some((place, epoch)) = story.illegal else { return Ok(()) };
        let last = story.stays.get(&device).and_then(|stays| stays.last());
        let entered_behind = last.is_some_and(|stay| stay.began_behind(place));
        let here = self.nodes[index].engine.as_mut().and_then(|engine| engine.epoch_authenticator(story.id));
        match here {
            Some((here, _)) if here.0 > epoch && !entered_behind => {
                Err("merged a commit that its author's role does not allow".into())
            }
            _ => Ok(()),
        }
    }

    /// Every device that is told to be in a conversation is in it.
    fn check_present(&self, story: &Story) -> Checked {
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(device) = node.device_id().filter(|_| node.is_enrolled()) else { continue };
            let joined = story.stays_now(device);
            let row = node.database.look().query_row(
                "SELECT state FROM conversations WHERE id = ?1",
                [story.id.as_bytes()],
                |row| row.get::<_, u8>(0),
            );
            // A private chat that was declined stays declined.
            let refused = self.liar.is_told() || (story.private && row == Ok(6));
            if joined && !refused && !matches!(row, Ok(2..=4)) {
                return Err(format!("device {index} is in the group and does not know it ({row:?})"));
            }
            if !joined && !self.liar.is_told() && self.is_entitled(story.id, device)? {
                return Err(format!("device {index} did not enter a conversation of its account ({row:?})"));
            }
        }
        Ok(())
    }

    fn is_entitled(&self, conversation: ConversationId, device: DeviceId) -> Checked<bool> {
        self.server
            .database
            .look()
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM participant JOIN device ON device.account = participant.account
                 JOIN conversation ON conversation.no = participant.conversation
                 WHERE conversation.id = ?1 AND conversation.state = 1 AND device.id = ?2 AND revoked_at IS NULL)",
                [conversation.as_bytes().as_slice(), device.as_bytes().as_slice()],
                |row| row.get(0),
            )
            .map_err(|error| error.to_string())
    }

    fn stored(&self, index: usize, conversation: ConversationId) -> Checked<Vec<Stored>> {
        type Row = (Vec<u8>, Vec<u8>, Vec<u8>, u64, bool);
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.nodes[index].database.look().prepare_cached(
                "SELECT id, sender, content, sequence, via = 1 FROM messages WHERE conversation = ?1 AND sequence IS NOT NULL
                 ORDER BY sequence, local",
            )?;
            let rows = statement.query_map([conversation.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|error| error.to_string())?;
        rows.into_iter()
            .map(|(id, sender, content, sequence, direct)| {
                Ok(Stored {
                    id: IdempotencyKey::from_slice(&id).map_err(|error| error.to_string())?,
                    sender: AccountId::from_slice(&sender).map_err(|error| error.to_string())?,
                    sequence,
                    direct,
                    text: Content::decode(&content).map_err(|error| error.to_string())?.text,
                })
            })
            .collect()
    }

    /// What became of everything that somebody meant to send.
    fn check_intents(
        &self,
        placed: &BTreeMap<IdempotencyKey, ConversationId>,
        reached: &BTreeSet<IdempotencyKey>,
    ) -> Checked {
        for (key, intent) in &self.oracle.intents {
            let place = placed.get(key);
            if intent.answer == Some(Ok(true))
                && place.is_none()
                && !reached.contains(key)
                && !self.oracle.shown.contains(key)
            {
                return Err(format!("{:?} was accepted and is nowhere", intent.text));
            }
            if let (To::Group(group), Some(place)) = (intent.to, place)
                && group != *place
            {
                return Err(format!("{:?} went into another conversation", intent.text));
            }
            let node = &self.nodes[intent.node];
            if node.ended == intent.ended && !self.is_fooled(intent.node) {
                self.check_outbox(*key, intent, place.is_some()).map_err(|why| format!("{:?} {why}", intent.text))?;
            }
        }
        Ok(())
    }

    /// A message that is not in the log is in the outbox for a good reason, or its sender was told.
    fn check_outbox(&self, key: IdempotencyKey, intent: &Intent, placed: bool) -> Checked {
        let node = &self.nodes[intent.node];
        let look = node.database.look();
        let waiting = look.query_row(
            "SELECT coalesce(conversations.state, 0), conversations.blocked IS NOT NULL,
                    EXISTS (SELECT 1 FROM contacts WHERE new_key IS NOT NULL)
             FROM outbox LEFT JOIN conversations ON conversations.id = outbox.conversation WHERE key = ?1",
            [key.as_bytes()],
            |row| Ok((row.get::<_, u8>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?)),
        );
        let pending: bool = look
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1 AND sequence IS NULL)",
                [key.as_bytes()],
                |row| row.get(0),
            )
            .map_err(|error| error.to_string())?;
        match waiting {
            Ok(_) if placed && node.is_enrolled() => Err("is in the log and still in the outbox".into()),
            Ok((state, blocked, key_changed)) => {
                let stays = state == 6 || blocked || key_changed || self.liar.is_told() || !node.is_enrolled();
                if stays { Ok(()) } else { Err(format!("rests in the outbox of a chat in state {state}")) }
            }
            Err(rusqlite::Error::QueryReturnedNoRows) if pending => Err("is shown as waiting and waits nowhere".into()),
            Err(rusqlite::Error::QueryReturnedNoRows) => {
                let told = matches!(intent.answer, Some(Err(_)) | None) || !node.warnings.is_empty();
                if placed || told { Ok(()) } else { Err("is lost and nobody was told".into()) }
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
