//! `FetchInbox`, `AcknowledgeInbox`: what concerns one device and no conversation that it is in. Never refused.
//!
//! Items stay until they are acknowledged; a welcome stays until all devices that it is for have acknowledged it.

use subrosa_types::Sequence;
use subrosa_wire::proto::{
    AcknowledgeInbox, FetchInbox, InboxItem, InboxPage, JoinableNotice, RemovedNotice, WelcomeNotice, answer,
    inbox_item,
};

use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::inbox::{self, Item, Kind};

/// Items in one page.
const PAGE: usize = 512;

pub(crate) fn fetch(turn: &mut Turn<'_>, login: &Login, request: &FetchInbox) -> Handled {
    let items = inbox::page(turn.store, login.device, request.after, PAGE)?;
    Ok(answer::Body::InboxPage(InboxPage { items: items.iter().map(item).collect() }))
}

pub(crate) fn acknowledge(turn: &mut Turn<'_>, login: &Login, request: &AcknowledgeInbox) -> Handled {
    inbox::acknowledge(turn.store, login.device, request.through)?;
    Ok(done())
}

/// An item as the wire has it.
pub(crate) fn item(item: &Item) -> InboxItem {
    let conversation_id = item.conversation.to_vec();
    let Sequence(sequence) = item.sequence;
    let body = match item.kind {
        Kind::Welcome => inbox_item::Item::Welcome(WelcomeNotice { conversation_id, sequence }),
        Kind::Removed => inbox_item::Item::Removed(RemovedNotice { conversation_id, sequence }),
        Kind::Joinable => inbox_item::Item::Joinable(JoinableNotice { conversation_id }),
    };
    InboxItem { position: item.position, at: item.at.0, item: Some(body) }
}
