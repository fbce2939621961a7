//! `FetchGroupInfo`: what a device needs to enter a conversation of its account by external commit.
//!
//! Refused: `NO_SUCH_CONVERSATION`; `NOT_A_MEMBER` unless the account is in the conversation.

use subrosa_types::ConversationId;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{FetchGroupInfo, GroupInfoAnswer, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::conversations::{self, Phase};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &FetchGroupInfo) -> Handled {
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let store = turn.store;
    let found = turn.state.conversations.find(store, id)?;
    let conversation =
        found.filter(|conversation| conversation.record.phase == Phase::Open).ok_or(ErrorCode::NoSuchConversation)?;
    let no = conversation.record.no;
    if !conversations::is_participant(store, no, login.account)? {
        return Err(ErrorCode::NotAMember.into());
    }
    let ratchet_tree = conversation.follower(store)?.ratchet_tree()?;
    Ok(answer::Body::GroupInfo(GroupInfoAnswer {
        group_info: conversations::group_info(store, no)?,
        ratchet_tree,
        epoch: conversation.record.epoch.0,
        sequence: conversation.record.epoch_sequence.0,
    }))
}
