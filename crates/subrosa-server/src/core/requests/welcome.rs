//! `FetchWelcome`: a welcome that waits in the device's inbox, with the tree that goes with it.
//!
//! Refused: `NO_SUCH_CONVERSATION`; `NOT_A_MEMBER` if no such welcome waits for this device.

use subrosa_types::{ConversationId, Sequence};
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{FetchWelcome, WelcomeAnswer, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{conversations, inbox};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &FetchWelcome) -> Handled {
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let record = conversations::by_id(turn.store, id)?.ok_or(ErrorCode::NoSuchConversation)?;
    let sequence = Sequence(request.sequence.min(i64::MAX as u64 >> 24));
    let found = inbox::welcome_for(turn.store, login.device, record.no, sequence)?.ok_or(ErrorCode::NotAMember)?;
    Ok(answer::Body::Welcome(WelcomeAnswer { welcome: found.welcome, ratchet_tree: found.tree, epoch: found.epoch.0 }))
}
