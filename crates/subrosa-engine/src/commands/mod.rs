//! Commands: one file a group of them. A command that needs the server waits until this device is up to date, then runs.
//!
//! ```text
//!   New ─► AwaitSync ─► Resolve (names → accounts) ─► Ask (one request at a time) ─► done
//!                  └──► AwaitSent / AwaitChanges / AwaitFounding: until a pump says what became of it
//! ```

mod access;
mod devices;
mod export;
mod faces;
mod groups;
mod invites;
mod people;
mod reading;
mod roles;
mod sending;
mod views;

pub(crate) use faces::mentions;

use std::collections::VecDeque;

use subrosa_types::{AccountId, ConversationId, IdempotencyKey, Timestamp, Username};
use subrosa_wire::Refusal;
use subrosa_wire::proto::{self, answer, client_frame};

use crate::api::{Command, Failure, Reply, Secret, SendState};
use crate::engine::{CommandId, Engine, Output};
use crate::fault::{Fault, Outcome};
use crate::requests::Pending;
use crate::store::contacts;
use crate::words;

/// Milliseconds within which the server has to be reached. A server that refuses every connection is given up earlier.
const REACH_MS: i64 = 10_000;
/// Milliseconds that a command may take once it runs.
const RUN_MS: i64 = 60_000;

/// A command that is not answered yet.
pub struct Running {
    command: Command,
    step: Step,
    deadline: Timestamp,
    /// Connections that had ended when the command began to wait for one.
    ended: u64,
}

/// Where a command stands.
#[derive(Debug)]
pub enum Step {
    /// Not looked at yet.
    New,
    /// The session answers it.
    Session,
    /// Until everything the server has is here, or the server is not reached.
    AwaitSync,
    /// Looks up names, one after the other.
    Resolve {
        /// Still to do.
        names: VecDeque<Username>,
        /// Done.
        accounts: Vec<AccountId>,
    },
    /// One request is under way.
    Ask(Asked),
    /// Until an intent is accepted (or delivered).
    AwaitSent {
        /// Its key.
        key: IdempotencyKey,
        /// Wait for the other side, too.
        delivered: bool,
    },
    /// Until the changes of a conversation are made.
    AwaitChanges(ConversationId),
    /// Until a conversation is founded: then until its title is said.
    AwaitFounding,
    /// Until the title is said.
    AwaitTitle {
        /// Where.
        conversation: ConversationId,
        /// The intent.
        key: IdempotencyKey,
    },
}

/// What a command asked of the server.
#[derive(Debug)]
pub enum Asked {
    /// `Done` ends the command with this.
    Done(Reply),
    /// The own directory entry, for a change of the device list (or to show it).
    OwnDevices,
    /// The own device list is being changed so that this device ends.
    LogOut,
    /// All accounts, page by page.
    Accounts(Vec<proto::AccountRow>),
    /// What lets a guest into a room under this account's name.
    RoomPass,
    /// Sign-up invitations.
    Invites,
    /// Leaving a conversation.
    Leave(ConversationId),
}

/// What a step of a command came to.
pub(super) enum Turn {
    /// Look at the command again at once.
    Go(Step),
    /// Wait.
    Wait(Step),
    /// Done.
    Finish(Result<Reply, Failure>),
}

impl Running {
    pub(crate) fn new(command: Command, now: Timestamp) -> Self {
        Self { command, step: Step::New, deadline: now.plus_millis(REACH_MS), ended: u64::MAX }
    }

    /// The clock was set back.
    pub(crate) const fn set_back(&mut self, milliseconds: i64) {
        self.deadline = self.deadline.plus_millis(-milliseconds);
    }

    pub(crate) const fn deadline(&self) -> Timestamp {
        self.deadline
    }
}

impl Engine {
    /// Moves every command on as far as it goes. Returns whether any moved.
    pub(crate) fn drive_commands(&mut self, now: Timestamp) -> Outcome<bool> {
        let mut moved = false;
        for id in self.running.keys().copied().collect::<Vec<_>>() {
            while let Some(mut running) = self.running.remove(&id) {
                let step = std::mem::replace(&mut running.step, Step::New);
                let kind = std::mem::discriminant(&step);
                match self.turn(id, &mut running, step, now)? {
                    Turn::Go(step) => {
                        running.step = step;
                        self.running.insert(id, running);
                        moved = true;
                    }
                    Turn::Wait(step) => {
                        moved |= std::mem::discriminant(&step) != kind;
                        running.step = step;
                        self.running.insert(id, running);
                        break;
                    }
                    Turn::Finish(result) => {
                        self.stage(Output::Finished(id, result));
                        moved = true;
                        break;
                    }
                }
            }
        }
        if self.running.is_empty() {
            self.outgoing.verdicts.clear();
            self.outgoing.change_failures.clear();
        }
        Ok(moved)
    }

    fn turn(&mut self, id: CommandId, running: &mut Running, step: Step, now: Timestamp) -> Outcome<Turn> {
        let late = now >= running.deadline;
        if self.profile.is_none() && !matches!(step, Step::New | Step::Session) {
            return Ok(Turn::Finish(Err(self.no_profile()?)));
        }
        match step {
            Step::New => {
                running.ended = self.session.ended;
                self.begin(id, running, now)
            }
            Step::AwaitSync if self.is_synced()? => {
                running.deadline = now.plus_millis(RUN_MS);
                running.ended = self.session.ended;
                self.run(id, &running.command.clone(), now)
            }
            Step::AwaitSync if self.goes_without_server(&running.command.clone())? => {
                running.deadline = now.plus_millis(RUN_MS);
                self.run(id, &running.command.clone(), now)
            }
            Step::AwaitSync => {
                let failed = self.session.ended > running.ended;
                if late || (failed && (is_local(&running.command) || self.session.is_hopeless())) {
                    return self.run_offline(&running.command.clone(), now);
                }
                Ok(Turn::Wait(Step::AwaitSync))
            }
            Step::Resolve { .. } if late => Ok(Turn::Finish(Err(words::unreachable(&self.session.reason)))),
            Step::Resolve { names, accounts } => self.resolve(id, running, names, accounts, now),
            Step::Ask(_) | Step::Session if late => Ok(Turn::Finish(Err(words::unreachable(&self.session.reason)))),
            Step::Ask(_) if self.session.ended > running.ended => Ok(Turn::Finish(Err(words::interrupted()))),
            Step::AwaitSent { key, delivered } => self.await_sent(key, delivered, late),
            Step::AwaitChanges(conversation) => self.await_changes(conversation, late),
            Step::AwaitTitle { conversation, key } => self.await_title(conversation, key, late),
            Step::AwaitFounding if late => Ok(Turn::Finish(Err(words::unreachable(&self.session.reason)))),
            step @ (Step::Ask(_) | Step::Session | Step::AwaitFounding) => Ok(Turn::Wait(step)),
        }
    }

    /// A message that links carry does not wait for a server that is away.
    fn goes_without_server(&mut self, command: &Command) -> Outcome<bool> {
        match command {
            Command::Send { to, .. } if !self.session.is_online() => self.reaches_directly(to),
            _ => Ok(false),
        }
    }

    /// Why nothing can be done without a login.
    fn no_profile(&self) -> Outcome<Failure> {
        let farewell = crate::store::profile::farewell(&self.connection)?;
        Ok(farewell.map_or_else(words::not_logged_in, |reason| words::ended(&reason)))
    }

    fn begin(&mut self, id: CommandId, running: &mut Running, now: Timestamp) -> Outcome<Turn> {
        match &running.command {
            Command::SignUp { .. } | Command::LogIn { .. } => {
                running.deadline = now.plus_millis(RUN_MS);
                let command = running.command.clone();
                Ok(match self.begin_access(id, command, now) {
                    Ok(()) => Turn::Wait(Step::Session),
                    Err(failure) => Turn::Finish(Err(failure)),
                })
            }
            Command::Status => Ok(Turn::Finish(self.status()?)),
            Command::ChangedKeys | Command::Settings | Command::SetSetting { .. } | Command::EventsSince { .. } => {
                Ok(Turn::Finish(self.view(&running.command.clone())?))
            }
            Command::Follow => {
                self.follow()?;
                Ok(Turn::Finish(Ok(Reply::Done)))
            }
            _ if self.profile.is_none() => Ok(Turn::Finish(Err(self.no_profile()?))),
            Command::ExportKeys { danger_private } => Ok(Turn::Finish(self.export_keys(*danger_private))),
            Command::WhoAmI if self.knows_own_role() => Ok(Turn::Finish(self.who_am_i())),
            Command::Direct { policy } => {
                if let Some(policy) = *policy {
                    self.set_direct_policy(policy, now)?;
                }
                Ok(Turn::Finish(Ok(Reply::Direct(self.direct_policy()))))
            }
            Command::History { .. } | Command::Search { .. } | Command::Overview | Command::SetDraft { .. } => {
                Ok(Turn::Finish(self.view(&running.command.clone())?))
            }
            Command::MarkRead { messages } => {
                crate::store::messages::mark_read(&self.connection, messages)?;
                Ok(Turn::Finish(Ok(Reply::Done)))
            }
            Command::Reload => {
                self.session.hurry(now);
                if self.session.is_online() {
                    self.ask_for_everything()?;
                }
                Ok(Turn::Go(Step::AwaitSync))
            }
            _ => {
                self.session.hurry(now);
                Ok(Turn::Go(Step::AwaitSync))
            }
        }
    }

    /// Runs a command on a device that is up to date.
    fn run(&mut self, id: CommandId, command: &Command, now: Timestamp) -> Outcome<Turn> {
        let names = |names: &[Username]| Step::Resolve { names: names.iter().cloned().collect(), accounts: Vec::new() };
        match command {
            Command::SignUp { .. } | Command::LogIn { .. } | Command::WhoAmI => Ok(Turn::Finish(self.who_am_i())),
            Command::Read { .. }
            | Command::Chats
            | Command::Invites
            | Command::GroupMembers { .. }
            | Command::History { .. }
            | Command::Search { .. }
            | Command::Overview
            | Command::SetDraft { .. }
            | Command::Settings
            | Command::SetSetting { .. }
            | Command::EventsSince { .. }
            | Command::ChangedKeys => Ok(Turn::Finish(self.view(command)?)),
            Command::Reload => {
                let came = std::mem::take(&mut self.outgoing.came);
                Ok(Turn::Finish(Ok(Reply::Reloaded { messages: came.messages, invites: came.invites })))
            }
            Command::Send { to, text, id: key, wait } => self.run_send(to, text, *key, *wait, now),
            Command::GroupCreate { members, .. } => Ok(Turn::Go(names(members))),
            Command::GroupAdd { members, .. } | Command::GroupRemove { members, .. } => Ok(Turn::Go(names(members))),
            Command::GroupLeave { group } => self.run_leave(id, group),
            Command::GroupRename { group, title } => self.run_rename(group, title, now),
            Command::Accept { id: what } => self.run_accept(id, what, now),
            Command::Decline { id: what } => self.run_decline(id, what),
            Command::RoleSet { name, .. } | Command::Verify { name, .. } | Command::Compare { name, .. } => {
                Ok(Turn::Go(names(std::slice::from_ref(name))))
            }
            Command::Devices | Command::RevokeDevice { .. } | Command::LogOut => Ok(self.ask_own_devices(id)),
            Command::RoleList | Command::RoleLog => self.run_role_list(id, command),
            Command::InviteLinkCreate { .. } | Command::InviteLinkList | Command::InviteLinkRevoke { .. } => {
                Ok(self.ask_invite_links(id, command, now))
            }
            Command::RoomPass => {
                Ok(self.ask(id, client_frame::Request::AskRoomPass(proto::AskRoomPass {}), Asked::RoomPass))
            }
            Command::Status => Ok(Turn::Finish(self.status()?)),
            Command::ExportKeys { danger_private } => Ok(Turn::Finish(self.export_keys(*danger_private))),
            Command::Follow | Command::Direct { .. } | Command::MarkRead { .. } => Ok(Turn::Finish(Ok(Reply::Done))),
        }
    }

    /// The server is not reached: what can be answered from the store is, a message is kept, the rest says why not.
    fn run_offline(&mut self, command: &Command, now: Timestamp) -> Outcome<Turn> {
        match command {
            Command::Read { .. } | Command::Chats | Command::Invites | Command::GroupMembers { .. } => {
                Ok(Turn::Finish(self.view(command)?))
            }
            Command::Send { to, text, id, .. } => self.queue_send(to, text, *id, now),
            Command::WhoAmI => Ok(Turn::Finish(self.who_am_i())),
            _ => Ok(Turn::Finish(Err(words::unreachable(&self.session.reason)))),
        }
    }

    fn resolve(
        &mut self,
        id: CommandId,
        running: &mut Running,
        mut names: VecDeque<Username>,
        mut accounts: Vec<AccountId>,
        now: Timestamp,
    ) -> Outcome<Turn> {
        if self.session.ended > running.ended {
            return Ok(Turn::Finish(Err(words::interrupted())));
        }
        // An answer that is on its way is waited for, though the name may be known from elsewhere by now.
        if self.requests.has(&Pending::Command(id)) {
            return Ok(Turn::Wait(Step::Resolve { names, accounts }));
        }
        while let Some(name) = names.front() {
            let own = self.profile.as_ref().filter(|profile| profile.username == *name).map(|profile| profile.account);
            let known = match own {
                Some(own) => Some(own),
                None => contacts::by_name(&self.connection, name)?.map(|contact| contact.account),
            };
            match known {
                Some(account) => {
                    accounts.push(account);
                    names.pop_front();
                }
                None => {
                    let lookup = proto::Lookup { by: Some(proto::lookup::By::Username(name.to_string())) };
                    self.request(client_frame::Request::Lookup(lookup), Pending::Command(id));
                    return Ok(Turn::Wait(Step::Resolve { names, accounts }));
                }
            }
        }
        match &running.command.clone() {
            Command::GroupCreate { title, members } => self.run_group_create(id, title, members, &accounts),
            Command::GroupAdd { group, members } => self.run_change(group, members, &accounts, true),
            Command::GroupRemove { group, members } => self.run_change(group, members, &accounts, false),
            Command::RoleSet { role, .. } => self.run_role_set(id, &accounts, *role, now),
            Command::Verify { name, confirm } => self.run_verify(name, &accounts, *confirm),
            Command::Compare { name, uri } => self.run_compare(name, &accounts, uri),
            _ => Err(Fault::Protocol("names for a command that has none")),
        }
    }

    pub(crate) fn command_answered(&mut self, id: CommandId, body: answer::Body, now: Timestamp) -> Outcome {
        let Some(mut running) = self.running.remove(&id) else { return Ok(()) };
        let step = std::mem::replace(&mut running.step, Step::New);
        let turn = match (step, body) {
            (step @ Step::Resolve { .. }, answer::Body::DirectoryEntry(entry)) => match self.take_entry(&entry)? {
                Ok(account) if is_front(&step, &account.username) => Turn::Wait(step),
                Ok(_) => Turn::Finish(Err(words::bad_attestation("this person"))),
                Err(failure) => Turn::Finish(Err(failure)),
            },
            (Step::Ask(asked), body) => self.asked_answered(id, &running.command.clone(), asked, body, now)?,
            _ => return Err(Fault::Protocol("an answer of another kind than the request")),
        };
        self.take_turn(id, running, turn);
        Ok(())
    }

    fn asked_answered(
        &mut self,
        id: CommandId,
        command: &Command,
        asked: Asked,
        body: answer::Body,
        now: Timestamp,
    ) -> Outcome<Turn> {
        match (asked, body) {
            (Asked::Done(reply), answer::Body::Done(_)) => Ok(Turn::Finish(Ok(reply))),
            (Asked::OwnDevices, answer::Body::DirectoryEntry(entry)) => self.own_devices(id, command, &entry, now),
            (Asked::LogOut, answer::Body::Done(_)) => {
                self.device_ended("this device was logged out", now)?;
                Ok(Turn::Finish(Ok(Reply::Done)))
            }
            (Asked::Accounts(rows), answer::Body::AccountPage(page)) => self.accounts(id, command, rows, page),
            (Asked::RoomPass, answer::Body::RoomPass(given)) => {
                let pass = given.pass.iter().map(|byte| format!("{byte:02x}")).collect();
                Ok(Turn::Finish(Ok(Reply::RoomPass(Secret(pass)))))
            }
            (Asked::Invites, body) => Self::invite_links(body),
            (Asked::Leave(conversation), answer::Body::Done(_)) => {
                self.gone(conversation, "you left this chat")?;
                Ok(Turn::Finish(Ok(Reply::Done)))
            }
            _ => Err(Fault::Protocol("an answer of another kind than the request")),
        }
    }

    pub(crate) fn command_refused(&mut self, id: CommandId, refusal: &Refusal, now: Timestamp) -> Outcome {
        let Some(running) = self.running.remove(&id) else { return Ok(()) };
        let failure = match (&running.step, &running.command) {
            (Step::Resolve { names, .. }, _) => {
                names.front().map_or_else(|| words::refusal(refusal), |name| words::nobody(name, refusal))
            }
            (_, Command::RoleSet { name, role }) => self.role_refusal(name, *role, refusal)?,
            // The server has forgotten us there already: that is what was wanted.
            (Step::Ask(Asked::Leave(conversation)), _) if refusal.code == proto::ErrorCode::NotAMember => {
                let conversation = *conversation;
                self.gone(conversation, "you left this chat")?;
                self.stage(Output::Finished(id, Ok(Reply::Done)));
                return Ok(());
            }
            (Step::Ask(Asked::LogOut), _) if refusal.code == proto::ErrorCode::DeviceRevoked => {
                self.device_ended("this device was logged out", now)?;
                self.stage(Output::Finished(id, Ok(Reply::Done)));
                return Ok(());
            }
            _ => words::refusal(refusal),
        };
        self.stage(Output::Finished(id, Err(failure)));
        Ok(())
    }

    fn take_turn(&mut self, id: CommandId, mut running: Running, turn: Turn) {
        match turn {
            Turn::Go(step) | Turn::Wait(step) => {
                running.step = step;
                self.running.insert(id, running);
            }
            Turn::Finish(result) => self.stage(Output::Finished(id, result)),
        }
    }

    /// Sends one request for a command.
    pub(super) fn ask(&mut self, id: CommandId, request: client_frame::Request, asked: Asked) -> Turn {
        self.request(request, Pending::Command(id));
        Turn::Wait(Step::Ask(asked))
    }

    /// Answers a command from elsewhere.
    pub(crate) fn finish(&mut self, id: CommandId, result: Result<Reply, Failure>) {
        if self.running.remove(&id).is_some() {
            self.stage(Output::Finished(id, result));
        }
    }

    /// Puts a command to another step from elsewhere.
    pub(crate) fn step(&mut self, id: CommandId, step: Step) {
        if let Some(running) = self.running.get_mut(&id) {
            running.step = step;
        }
    }

    /// Whether a command waits for what becomes of this intent.
    pub(crate) fn is_awaited(&self, key: IdempotencyKey) -> bool {
        self.running.values().any(|running| match &running.step {
            Step::AwaitSent { key: awaited, .. } | Step::AwaitTitle { key: awaited, .. } => *awaited == key,
            _ => false,
        })
    }

    /// The request for a group went out: its command waits for the title, the first message of the group.
    pub(crate) fn founding_sent(&mut self, id: CommandId, conversation: ConversationId, title: Option<IdempotencyKey>) {
        if let Some(key) = title {
            self.step(id, Step::AwaitTitle { conversation, key });
        }
    }

    fn await_title(&mut self, conversation: ConversationId, key: IdempotencyKey, late: bool) -> Outcome<Turn> {
        if let Some(failure) = self.outgoing.change_failures.remove(&conversation) {
            return Ok(Turn::Finish(Err(failure)));
        }
        match self.outgoing.verdicts.remove(&key) {
            Some(Ok(SendState::Accepted | SendState::Delivered)) => Ok(Turn::Finish(self.group_reply(conversation)?)),
            Some(Err(failure)) => Ok(Turn::Finish(Err(failure))),
            _ => match self.outgoing.held_back.get(&conversation) {
                Some(failure) => Ok(Turn::Finish(Err(failure.clone()))),
                None if late => Ok(Turn::Finish(Err(words::interrupted()))),
                None => Ok(Turn::Wait(Step::AwaitTitle { conversation, key })),
            },
        }
    }
}

fn is_front(step: &Step, username: &Username) -> bool {
    matches!(step, Step::Resolve { names, .. } if names.front() == Some(username))
}

/// Whether a command can be answered from the store alone.
const fn is_local(command: &Command) -> bool {
    matches!(
        command,
        Command::Read { .. } | Command::Chats | Command::Invites | Command::GroupMembers { .. } | Command::WhoAmI
    )
}
