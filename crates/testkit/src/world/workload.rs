//! What people do: they sign up all at once, write, make groups, change members and roles, come with new devices and leave.

use subrosa_engine::CommandId;
use subrosa_engine::api::{Command, Failure, Reply, Secret, SendState, Target, Wait};
use subrosa_types::{ConversationId, DeviceId, IdempotencyKey, Role, Username};

use super::oracle::{Intent, To};
use super::plan::NAMES;
use super::{Event, World};

/// Everybody's password.
const PASSWORD: &str = "correct horse battery staple";

/// What a command is for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// Sign-up or login.
    Access,
    /// A message.
    Send(IdempotencyKey),
    /// A message that has to be accepted, because everything is healed.
    Probe(IdempotencyKey),
    /// A question whether the device is up to date, because everything is healed.
    Status,
    /// Anything else.
    Other,
}

/// A conversation as a device's store has it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: ConversationId,
    pub(super) private: bool,
    /// Code of its state: 2 invited, 3 request, 4 active.
    pub(super) state: u8,
}

impl World {
    pub(super) fn command(&mut self, index: usize, command: Command, purpose: Purpose) {
        let shown = format!("{command:?}");
        let now = self.time_of(index);
        let Some(engine) = self.nodes[index].engine.as_mut() else { return };
        let id = engine.command(command, now);
        self.nodes[index].commands.insert(id, purpose);
        self.note(|| format!("{index}: command {} {shown}", id.0));
        self.after_input(index);
    }

    /// Somebody does something.
    pub(super) fn work(&mut self) {
        let index = usize::try_from(self.rng.below(self.nodes.len() as u64)).unwrap_or(0);
        let Some(engine) = &self.nodes[index].engine else { return };
        if !engine.is_enrolled() {
            let first = index < self.plan.accounts && self.nodes[index].ended == 0;
            if first || self.rng.chance(30) {
                self.seek_access(index);
            }
            return;
        }
        let rows = self.rows(index);
        match self.rng.below(100) {
            0..34 => {
                let messages = if self.rng.chance(20) { self.rng.between(2, 6) } else { 1 };
                for _ in 0..messages {
                    self.write_to_somebody(index);
                }
            }
            34..58 => self.write_to_group(index, &rows),
            58..66 => self.create_group(index),
            66..76 => self.change_members(index, &rows),
            76..78 => self.rename(index, &rows),
            78..80 => self.leave(index, &rows),
            80..88 => self.answer_invitation(index, &rows),
            88..93 => self.set_role(index),
            93..94 => self.command(index, Command::Accept { id: "super-admin".into() }, Purpose::Other),
            94..96 => self.command(index, Command::Reload, Purpose::Other),
            96..97 => {
                self.command(index, Command::Read { chat: None, all: false, limit: None, since: None }, Purpose::Other)
            }
            97..98 => self.accept_key(index),
            98..99 => self.end_device(index),
            _ => self.command(index, Command::RoleList, Purpose::Other),
        }
    }

    /// Signs up, or logs in if the account is there.
    pub(super) fn seek_access(&mut self, index: usize) {
        let busy = self.nodes[index].commands.values().any(|purpose| matches!(purpose, Purpose::Access));
        if busy || self.nodes[index].engine.is_none() || self.server.link.is_empty() {
            return;
        }
        let name = NAMES[self.nodes[index].account];
        let server = self.server.link.clone();
        let (username, password) = (name.to_owned(), Secret(PASSWORD.into()));
        let first = index < self.plan.accounts && !self.nodes[index].taken;
        let command = if first {
            Command::SignUp {
                server,
                username,
                password,
                email: None,
                invite: None,
                setup: None,
                vault: true,
                device: format!("{name} {index}"),
            }
        } else {
            let danger_reset_key = self.plan.resets && self.rng.chance(25);
            Command::LogIn {
                server: Some(server),
                username,
                password,
                device: format!("{name} {index}"),
                danger_reset_key,
            }
        };
        self.command(index, command, Purpose::Access);
    }

    /// A command was answered.
    pub(super) fn finished(&mut self, index: usize, id: CommandId, answer: Result<Reply, Failure>) {
        self.note(|| format!("{index}: answer {} {answer:?}", id.0));
        let Some(purpose) = self.nodes[index].commands.remove(&id) else {
            self.violate(format!("device {index} answers a command twice, or one that nobody gave"));
            return;
        };
        match (purpose, answer) {
            (Purpose::Access, Err(failure)) => {
                self.nodes[index].taken |= failure.kind == "username_taken";
                if !self.healing {
                    let again = self.rng.between(500, 6_000);
                    self.clock.after(again, Event::Access(index));
                }
            }
            (Purpose::Access, Ok(_)) => self.nodes[index].taken = true,
            (Purpose::Send(key), Ok(Reply::Sent(row))) => {
                let accepted = row.state != SendState::Queued;
                self.oracle.answered(key, Ok(accepted));
            }
            (Purpose::Send(key), Err(failure)) => self.oracle.answered(key, Err(failure.kind)),
            (Purpose::Probe(key), Ok(Reply::Sent(row))) if row.state != SendState::Queued => {
                self.oracle.answered(key, Ok(true));
            }
            (Purpose::Probe(_), answer) => self.probe_failed(index, &answer),
            (Purpose::Status, answer) => {
                if !matches!(&answer, Ok(Reply::Status(status)) if status.online) {
                    self.violate(format!("device {index} is not up to date in a healed world: {answer:?}"));
                }
            }
            (Purpose::Send(_), Ok(other)) => self.violate(format!("device {index} answers a send with {other:?}")),
            (Purpose::Other, Err(failure)) if failure.kind == "internal" => {
                self.violate(format!("device {index} failed by itself: {failure}"));
            }
            (Purpose::Other, _) => {}
        }
    }

    /// One more message in every conversation, by somebody who is in it.
    pub(super) fn probe(&mut self) {
        self.note(|| "---- one more message everywhere ----".into());
        let ids = super::oracle::conversations(self.server.database.look()).unwrap_or_default();
        for id in ids {
            let inside = |index: &usize| {
                let node = &self.nodes[*index];
                let active = self.rows(*index).iter().any(|row| row.id == id && row.state == 4);
                active && node.is_enrolled() && !self.is_fooled(*index)
            };
            let inside: Vec<usize> = (0..self.nodes.len()).filter(inside).collect();
            let Some(index) = self.rng.choose(&inside).copied() else { continue };
            let peer: Option<Vec<u8>> = self.nodes[index]
                .database
                .look()
                .query_row("SELECT peer FROM conversations WHERE id = ?1", [id.as_bytes()], |row| row.get(0))
                .unwrap_or_default();
            let peer = peer.and_then(|peer| subrosa_types::AccountId::from_slice(&peer).ok());
            let peer = peer.and_then(|peer| self.accounts().ok()?.get(&peer).copied());
            match peer.and_then(|peer| Some((peer, NAMES[peer].parse().ok()?))) {
                Some((peer, name)) => self.send(index, To::Person(peer), Target::Person(name), true),
                None => self.send(index, To::Group(id), Target::Group(id.to_string()), true),
            }
        }
    }

    fn probe_failed(&mut self, index: usize, answer: &Result<Reply, Failure>) {
        let excused = matches!(answer, Err(failure) if matches!(failure.kind.as_str(), "key_changed" | "peer_gone"));
        if !excused && !self.liar.is_told() {
            self.violate(format!("in a healed world, device {index} cannot send: {answer:?}"));
        }
    }

    // ---- What they do --------------------------------------------------------------------------------------------

    pub(super) fn send(&mut self, index: usize, to: To, target: Target, probe: bool) {
        let key = IdempotencyKey::from_bytes(self.rng.bytes());
        let number = self.oracle.intents.len();
        let text = format!("message {number} of {}", NAMES[self.nodes[index].account]);
        self.oracle.intents.insert(
            key,
            Intent {
                number,
                node: index,
                ended: self.nodes[index].ended,
                account: self.nodes[index].account,
                device: self.nodes[index].device_id(),
                to,
                text: text.clone(),
                answer: None,
            },
        );
        let purpose = if probe { Purpose::Probe(key) } else { Purpose::Send(key) };
        let wait =
            if self.rng.chance(5) && matches!(target, Target::Person(_)) { Wait::Delivered } else { Wait::Accepted };
        let wait = if probe { Wait::Accepted } else { wait };
        self.command(index, Command::Send { to: target, text, id: Some(key), wait }, purpose);
    }

    fn write_to_somebody(&mut self, index: usize) {
        let linked = self.somebody_linked(index).and_then(|other| Some((other, NAMES[other].parse().ok()?)));
        if let Some((other, name)) = linked.or_else(|| self.somebody_else(index)) {
            self.send(index, To::Person(other), Target::Person(name), false);
        }
    }

    fn write_to_group(&mut self, index: usize, rows: &[Row]) {
        if let Some(row) = self.a_group(rows) {
            self.send(index, To::Group(row.id), Target::Group(row.id.to_string()), false);
        }
    }

    fn create_group(&mut self, index: usize) {
        let mut members = self.some_people();
        members.retain(|name| name.as_str() != NAMES[self.nodes[index].account]);
        let Ok(title) = format!("group {}", self.rng.below(4)).parse() else { return };
        self.command(index, Command::GroupCreate { title, members }, Purpose::Other);
    }

    fn change_members(&mut self, index: usize, rows: &[Row]) {
        let Some(row) = self.a_group(rows) else { return };
        let (group, members) = (Target::Group(row.id.to_string()), self.some_people());
        let command = if self.rng.chance(60) {
            Command::GroupAdd { group, members }
        } else {
            Command::GroupRemove { group, members }
        };
        self.command(index, command, Purpose::Other);
    }

    fn rename(&mut self, index: usize, rows: &[Row]) {
        let (Some(row), Ok(title)) = (self.a_group(rows), format!("renamed {}", self.rng.below(9)).parse()) else {
            return;
        };
        self.command(index, Command::GroupRename { group: Target::Group(row.id.to_string()), title }, Purpose::Other);
    }

    fn leave(&mut self, index: usize, rows: &[Row]) {
        let Some(row) = self.a_group(rows) else { return };
        self.command(index, Command::GroupLeave { group: Target::Group(row.id.to_string()) }, Purpose::Other);
    }

    fn answer_invitation(&mut self, index: usize, rows: &[Row]) {
        let open: Vec<Row> = rows.iter().filter(|row| matches!(row.state, 2 | 3)).cloned().collect();
        let Some(row) = self.rng.choose(&open).cloned() else { return };
        let id = row.id.to_string();
        let command = if self.rng.chance(80) { Command::Accept { id } } else { Command::Decline { id } };
        self.command(index, command, Purpose::Other);
    }

    fn set_role(&mut self, index: usize) {
        // Often by who may, so that something happens.
        let by = match self.super_admin() {
            Some(account) if self.rng.chance(70) => {
                self.nodes.iter().position(|node| node.account == account && node.is_enrolled()).unwrap_or(index)
            }
            _ => index,
        };
        let Some((other, name)) = self.somebody_else(by) else { return };
        let role = match self.rng.below(10) {
            0 => Role::SuperAdmin,
            1..4 => Role::Admin,
            4..8 => Role::Advanced,
            _ => Role::Beginner,
        };
        self.oracle.orders.insert((self.nodes[by].account, other, role));
        self.command(by, Command::RoleSet { name, role }, Purpose::Other);
    }

    fn accept_key(&mut self, index: usize) {
        if let Some((_, name)) = self.somebody_else(index) {
            self.command(index, Command::Accept { id: format!("@{name}") }, Purpose::Other);
        }
    }

    fn end_device(&mut self, index: usize) {
        let own = self.nodes[index].account;
        let others: Vec<DeviceId> =
            self.nodes.iter().filter(|node| node.account == own).filter_map(super::node::Node::device_id).collect();
        let command = match self.rng.choose(&others) {
            Some(device) if self.rng.chance(60) => Command::RevokeDevice { device: *device },
            _ => Command::LogOut,
        };
        self.command(index, command, Purpose::Other);
    }

    // ---- Whom and what they mean ---------------------------------------------------------------------------------

    fn somebody_else(&mut self, index: usize) -> Option<(usize, Username)> {
        let own = self.nodes[index].account;
        let others: Vec<usize> = (0..self.plan.accounts).filter(|account| *account != own).collect();
        let other = *self.rng.choose(&others)?;
        Some((other, NAMES[other].parse().ok()?))
    }

    fn some_people(&mut self) -> Vec<Username> {
        let few = 1 + self.rng.below(3);
        let mut accounts: Vec<usize> =
            (0..few).filter_map(|_| usize::try_from(self.rng.below(self.plan.accounts as u64)).ok()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.into_iter().filter_map(|account| NAMES[account].parse().ok()).collect()
    }

    fn a_group(&mut self, rows: &[Row]) -> Option<Row> {
        let groups: Vec<Row> = rows.iter().filter(|row| !row.private && matches!(row.state, 2 | 4)).cloned().collect();
        self.rng.choose(&groups).cloned()
    }

    /// The conversations of a device, as its store has them.
    pub(super) fn rows(&self, index: usize) -> Vec<Row> {
        let look = self.nodes[index].database.look();
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = look.prepare_cached("SELECT id, kind, state FROM conversations ORDER BY id")?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u8>(1)?, row.get(2)?)))?;
            let mut found = Vec::new();
            for row in rows {
                let (id, kind, state) = row?;
                if let Ok(id) = ConversationId::from_slice(&id) {
                    found.push(Row { id, private: kind == 1, state });
                }
            }
            Ok(found)
        };
        read().unwrap_or_default()
    }
}
