//! Views: what can be answered from the store alone; and how conversations are called.

use prost::Message;
use subrosa_crypto::TitleRecord;
use subrosa_types::{AccountId, GroupTitle, Role, Timestamp};
use subrosa_wire::proto::{self, Signed, answer, client_frame};

use super::groups::{not_active, short_id};
use super::{Asked, Turn};
use crate::api::{ChangedKeyRow, ChatKind, ChatRow, Command, Failure, InviteLinkRow, MemberRow, Reply, Target};
use crate::engine::{CommandId, Engine};
use crate::fault::{Fault, Outcome};
use crate::store::contacts::{self, Contact};
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::words;

impl Engine {
    pub(super) fn view(&mut self, command: &Command) -> Outcome<Result<Reply, Failure>> {
        match command {
            Command::Read { chat, all, limit, since } => self.read(chat.as_ref(), *all, *limit, *since),
            Command::Chats => Ok(Ok(Reply::Chats(self.chats()?))),
            Command::Invites => Ok(Ok(Reply::Invites(self.invites()?))),
            Command::GroupMembers { group } => self.members(group),
            Command::ChangedKeys => Ok(Ok(Reply::ChangedKeys(self.changed_keys()?))),
            Command::History { chat, place, limit } => self.history(chat, *place, *limit),
            Command::Search { text, chat, before, limit } => self.search(text, chat.as_ref(), *before, *limit),
            Command::Overview => self.overview(),
            Command::SetDraft { chat, text } => self.set_draft(chat, text),
            Command::Settings => self.settings(),
            Command::SetSetting { name, value } => self.set_setting(name, value.as_deref()),
            Command::EventsSince { cursor, limit } => self.events_since(*cursor, *limit),
            _ => Ok(Err(words::not_logged_in())),
        }
    }

    pub(super) fn chats(&mut self) -> Outcome<Vec<ChatRow>> {
        let mut rows = Vec::new();
        for row in conversations::all(&self.connection)? {
            if matches!(row.state, ConversationState::Invited | ConversationState::Founding) {
                continue;
            }
            let blocked = match (&row.blocked, self.unaccepted_key(row.id)?) {
                (Some(why), _) => Some(why.clone()),
                (None, Some(contact)) => Some(format!("the key of @{} changed", contact.username)),
                (None, None) => None,
            };
            let mut shown = ChatRow {
                chat: self.chat_name(&row)?,
                conversation: row.id,
                kind: row.kind,
                unread: 0,
                last: None,
                blocked,
                mentions: 0,
                draft: String::new(),
                preview: None,
            };
            self.fill_in(&row, &mut shown)?;
            rows.push(shown);
        }
        rows.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.chat.cmp(&b.chat)));
        Ok(rows)
    }

    pub(super) fn changed_keys(&self) -> Outcome<Vec<ChangedKeyRow>> {
        let changed = contacts::changed(&self.connection)?.into_iter();
        let row =
            |contact: Contact| ChangedKeyRow { name: contact.username.to_string(), was_verified: contact.verified };
        Ok(changed.map(row).collect())
    }

    fn members(&mut self, group: &Target) -> Outcome<Result<Reply, Failure>> {
        let row = match self.group_of(group)? {
            Ok(row) => row,
            Err(failure) => return Ok(Err(failure)),
        };
        if row.state == ConversationState::Gone
            && let Some(failure) = not_active(&row)
        {
            return Ok(Err(failure));
        }
        // Who is only waiting for a commit to be gone is not shown any more.
        let members = self.group(row.id)?.map(|group| {
            let leaving = group.pending_removals();
            group.members().into_iter().filter(|member| !leaving.contains(&member.leaf)).collect::<Vec<_>>()
        });
        let members = members.unwrap_or_default();
        let mut rows = Vec::new();
        for account in self.member_accounts(row.id)? {
            let own = self.profile.as_ref().is_some_and(|profile| profile.account == account);
            let verified =
                own || contacts::by_account(&self.connection, account)?.is_some_and(|contact| contact.is_verified());
            let devices = members
                .iter()
                .filter(|member| {
                    subrosa_crypto::device::ClaimedDevice::parse(&member.credential)
                        .is_ok_and(|claimed| claimed.account_id() == account)
                })
                .count();
            if devices == 0 {
                continue;
            }
            rows.push(MemberRow {
                name: self.name_of(account)?,
                role: self.roles.role(account).unwrap_or(Role::Beginner),
                verified,
                devices: u32::try_from(devices).unwrap_or(u32::MAX),
            });
        }
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Ok(Reply::Members(rows)))
    }

    /// The conversation that a person means; `None`: a private chat that was never begun.
    pub(super) fn conversation_of(&mut self, target: &Target) -> Outcome<Result<Option<Conversation>, Failure>> {
        let Target::Person(name) = target else { return Ok(self.group_of(target)?.map(Some)) };
        let Some(contact) = contacts::by_name(&self.connection, name)? else { return Ok(Ok(None)) };
        let mut rows: Vec<Conversation> = conversations::all(&self.connection)?
            .into_iter()
            .filter(|row| row.kind == ChatKind::Private && row.peer == Some(contact.account))
            .collect();
        rows.sort_by_key(|row| row.state == ConversationState::Gone);
        Ok(Ok(rows.into_iter().next()))
    }

    /// `@name` or `#title`.
    pub(crate) fn chat_name(&mut self, row: &Conversation) -> Outcome<String> {
        match (row.kind, row.peer) {
            (ChatKind::Private, Some(peer)) => Ok(format!("@{}", self.name_of(peer)?)),
            _ => Ok(self.title_of(row).map_or_else(|| format!("#{}", short_id(row.id)), |title| format!("#{title}"))),
        }
    }

    /// The title that was verified when it was stored.
    pub(super) fn title_of(&self, row: &Conversation) -> Option<GroupTitle> {
        let signed = Signed::decode(row.title.as_deref()?).ok()?;
        let account: AccountId = TitleRecord::claimed_account(&signed).ok()?;
        let key = self.roles.key(account)?;
        match TitleRecord::verify(&signed, row.id, account, &key) {
            Ok(record) => Some(record.title),
            // Whoever gave it has another key by now; it was verified when it came.
            Err(_) => proto::TitleRecord::decode(signed.statement.as_slice()).ok()?.title.parse().ok(),
        }
    }

    pub(super) fn ask_invite_links(&mut self, id: CommandId, command: &Command, now: Timestamp) -> Turn {
        let (request, asked) = match command {
            Command::InviteLinkCreate { uses, expires_in } => {
                let expires_at = expires_in.map_or(0, |seconds| {
                    now.plus_millis(i64::try_from(seconds).unwrap_or(i64::MAX / 1000).saturating_mul(1000)).0
                });
                let create = proto::CreateInvite { uses: *uses, expires_at };
                (client_frame::Request::CreateInvite(create), Asked::Invites)
            }
            Command::InviteLinkRevoke { code } => {
                let revoke = proto::RevokeInvite { code: code.chars().take(128).collect() };
                (client_frame::Request::RevokeInvite(revoke), Asked::Done(Reply::Done))
            }
            _ => (client_frame::Request::ListInvites(proto::ListInvites {}), Asked::Invites),
        };
        self.ask(id, request, asked)
    }

    pub(super) fn invite_links(body: answer::Body) -> Outcome<Turn> {
        let invites = match body {
            answer::Body::Invite(invite) => vec![invite],
            answer::Body::InviteList(list) => list.invites,
            _ => return Err(Fault::Protocol("an answer of another kind than the request")),
        };
        let rows = invites
            .into_iter()
            .map(|invite| InviteLinkRow {
                code: invite.code,
                uses_left: invite.uses_left,
                expires_at: (invite.expires_at != 0).then_some(Timestamp(invite.expires_at)),
            })
            .collect();
        Ok(Turn::Finish(Ok(Reply::InviteLinks(rows))))
    }
}
