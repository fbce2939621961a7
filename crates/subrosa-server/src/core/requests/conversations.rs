//! `ListConversations`: the conversations in which this device is served, and where their logs end. Never refused.

use subrosa_wire::proto::{ConversationList, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login) -> Handled {
    let conversations = turn.heads(login.device)?;
    Ok(answer::Body::ConversationList(ConversationList { conversations }))
}
