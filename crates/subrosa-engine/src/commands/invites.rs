//! Invitations: to groups, first messages from strangers, the offered super admin role, and changed keys to accept.

use prost::Message;
use subrosa_crypto::{Offer, role_log};
use subrosa_types::{AccountId, Timestamp};
use subrosa_wire::proto::{self, Signed, client_frame};

use super::{Asked, Turn};
use crate::api::{ChatKind, Failure, InviteKind, InviteRow, Reply, Target};
use crate::engine::{CommandId, Engine};
use crate::fault::Outcome;
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::store::{contacts, profile};

/// The id under which an offered role is listed.
const ROLE: &str = "super-admin";

impl Engine {
    pub(super) fn invites(&mut self) -> Outcome<Vec<InviteRow>> {
        let mut rows = Vec::new();
        for row in conversations::all(&self.connection)? {
            rows.extend(self.open_invite(&row)?);
        }
        let chats: Vec<String> = rows.iter().map(|row| row.chat.clone()).collect();
        for row in &mut rows {
            name_it(row, chats.iter().filter(|chat| **chat == row.chat).count());
        }
        rows.extend(self.role_invite()?);
        Ok(rows)
    }

    /// A conversation as an invitation, if it is one.
    pub(crate) fn invite_row(&mut self, row: &Conversation) -> Outcome<Option<InviteRow>> {
        let Some(mut invite) = self.open_invite(row)? else { return Ok(None) };
        let mut of_this_name = 0;
        for other in conversations::all(&self.connection)? {
            let open = matches!(other.state, ConversationState::Invited | ConversationState::Request);
            if open && self.chat_name(&other)? == invite.chat {
                of_this_name += 1;
            }
        }
        name_it(&mut invite, of_this_name);
        Ok(Some(invite))
    }

    fn open_invite(&mut self, row: &Conversation) -> Outcome<Option<InviteRow>> {
        let kind = match row.state {
            ConversationState::Invited => InviteKind::Group,
            ConversationState::Request => InviteKind::Request,
            _ => return Ok(None),
        };
        let from = match row.inviter.or(row.peer) {
            Some(account) => self.name_of(account)?,
            None => String::new(),
        };
        let id = row.id.to_string();
        Ok(Some(InviteRow { answer: id.clone(), id, kind, chat: self.chat_name(row)?, from }))
    }

    /// Who offers the super admin role to this account, if somebody does.
    pub(crate) fn offers_role(&self) -> Outcome<Option<AccountId>> {
        Ok(self.offered_role()?.map(|(_, offer)| offer.from))
    }

    /// The offered super admin role, if one waits for an answer.
    pub(crate) fn role_invite(&self) -> Outcome<Option<InviteRow>> {
        let Some(from) = self.offers_role()? else { return Ok(None) };
        let from = self.name_of(from)?;
        let id = ROLE.to_owned();
        Ok(Some(InviteRow { answer: id.clone(), id, kind: InviteKind::Role, chat: String::new(), from }))
    }

    /// The offer, if it verifies against the role log.
    fn offered_role(&self) -> Outcome<Option<(Signed, Offer)>> {
        let (Some(bytes), Some(profile)) = (profile::hand_over(&self.connection)?, &self.profile) else {
            return Ok(None);
        };
        let Ok(signed) = Signed::decode(bytes.as_slice()) else { return Ok(None) };
        let offer =
            self.roles.check_offer(&signed, &profile.server_key).ok().filter(|offer| offer.to == profile.account);
        Ok(offer.map(|offer| (signed, offer)))
    }

    pub(super) fn run_accept(&mut self, id: CommandId, what: &str, now: Timestamp) -> Outcome<Turn> {
        if what == ROLE {
            let (Some((offer, _)), Some(profile)) = (self.offered_role()?, &self.profile) else {
                return Ok(no_such_invite());
            };
            let acceptance = role_log::accept_offer(&offer, profile.account, now, &profile.account_key);
            let answer = proto::AnswerHandOver { acceptance: Some(acceptance), decline: false };
            return Ok(self.ask(id, client_frame::Request::AnswerHandOver(answer), Asked::Done(Reply::Done)));
        }
        if let Ok(Target::Person(name)) = what.parse::<Target>()
            && let Some(contact) = contacts::by_name(&self.connection, &name)?
            && contact.new_key.is_some()
        {
            self.accept_key(contact, false)?;
            return Ok(Turn::Finish(Ok(Reply::Done)));
        }
        let Some(mut row) = self.invitation(what)? else { return Ok(no_such_invite()) };
        self.show_invited(&row)?;
        row.state = ConversationState::Active;
        conversations::save(&self.connection, &row)?;
        self.send_control_as(row.id, proto::MessageClass::Chat, now, |content| content.joined = true)?;
        Ok(Turn::Finish(Ok(Reply::Done)))
    }

    pub(super) fn run_decline(&mut self, id: CommandId, what: &str) -> Outcome<Turn> {
        if what == ROLE {
            if self.offered_role()?.is_none() {
                return Ok(no_such_invite());
            }
            let answer = proto::AnswerHandOver { acceptance: None, decline: true };
            profile::set_hand_over(&self.connection, None)?;
            return Ok(self.ask(id, client_frame::Request::AnswerHandOver(answer), Asked::Done(Reply::Done)));
        }
        match self.invitation(what)? {
            // The other side is not told: for them the chat is as before, here it is closed.
            Some(row) if row.kind == ChatKind::Private => {
                self.gone(row.id, "you declined this chat")?;
                Ok(Turn::Finish(Ok(Reply::Done)))
            }
            Some(row) => Ok(self.ask_leave(id, row.id)),
            None => Ok(no_such_invite()),
        }
    }

    /// The open invitation of this id, `@name` or `#title`.
    fn invitation(&mut self, what: &str) -> Outcome<Option<Conversation>> {
        for row in conversations::all(&self.connection)? {
            if !matches!(row.state, ConversationState::Invited | ConversationState::Request) {
                continue;
            }
            let named = row.kind != ChatKind::Room && self.chat_name(&row)? == what;
            if row.id.to_string() == what || named {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// There is one chat with a person, and there may be several groups of one title.
fn name_it(invite: &mut InviteRow, of_this_name: usize) {
    if of_this_name == 1 || invite.kind == InviteKind::Request {
        invite.answer.clone_from(&invite.chat);
    }
}

fn no_such_invite() -> Turn {
    Turn::Finish(Err(Failure::usage("no_such_invite", "there is no such open invitation; 'invites' lists them")))
}
