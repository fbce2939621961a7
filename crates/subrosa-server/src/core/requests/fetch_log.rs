//! `FetchLog`: a page of a conversation's log. Also called by the reader thread, beside the writer.
//!
//! Refused: `NO_SUCH_CONVERSATION`; `NOT_A_MEMBER`, also for a device that was removed. A device reads what is behind its
//! own joining; what is older than the retention is gone, and `first` says so.

use rusqlite::Connection;
use subrosa_types::{ConversationId, Sequence, limits};
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{FetchLog, LogEntry, LogPage, answer};

use crate::core::Faults;
use crate::core::failure::{Failure, Handled};
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{DeviceNo, conversations, log};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &FetchLog) -> Handled {
    let page = log_page(turn.store, login.device, request, turn.state.config.faults)?;
    Ok(answer::Body::LogPage(page))
}

/// The page that a device may read.
pub(crate) fn log_page(
    store: &Connection,
    device: DeviceNo,
    request: &FetchLog,
    faults: Faults,
) -> Result<LogPage, Failure> {
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let (no, joined, pruned) = match conversations::served(store, id, device)? {
        Some(served) => served,
        None => {
            let record = conversations::by_id(store, id)?.ok_or(ErrorCode::NoSuchConversation)?;
            if !faults.serve_removed_device() {
                return Err(ErrorCode::NotAMember.into());
            }
            (record.no, Sequence(0), record.pruned_through)
        }
    };
    let after = Sequence(request.after.min(i64::MAX as u64 >> 24)).max(joined);
    let limit = match request.limit as usize {
        0 => limits::PAGE_ENTRIES,
        limit => limit.min(limits::PAGE_ENTRIES),
    };
    let entries = log::page(store, no, after, limit, limits::PAGE_BYTES)?;
    let head = log::head(store, no)?.max(pruned);
    Ok(LogPage {
        conversation_id: request.conversation_id.clone(),
        entries: entries
            .into_iter()
            .map(|entry| LogEntry {
                sequence: entry.sequence.0,
                at: entry.at.0,
                message: entry.message,
                idempotency_key: entry.key.to_vec(),
            })
            .collect(),
        head: head.0,
        first: pruned.max(joined).next().0,
    })
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::ConversationKind;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn what_was_missed_is_read_in_order_and_in_pages() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        for _ in 0..5 {
            let message = alice.device.message(&mut world, chat, b"");
            world.call(alice.device.session, Body::Append(message)).unwrap();
        }
        let page = bob.device.fetch_log(&mut world, chat, 3).unwrap();
        assert_eq!(page.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!((page.head, page.first), (6, 2));
        let fetch = FetchLog { conversation_id: chat.to_vec(), after: 0, limit: 2 };
        let answer = world.call(bob.device.session, Body::FetchLog(fetch)).unwrap();
        let answer::Body::LogPage(page) = answer else { panic!("{answer:?}") };
        // Bob was added by the entry at 1, so his log starts behind it.
        assert_eq!(page.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [2, 3]);
        assert!(bob.device.fetch_log(&mut world, chat, u64::MAX).unwrap().entries.is_empty());
    }

    #[test]
    fn what_is_older_than_the_retention_is_gone_and_the_head_is_kept() {
        let mut world = World::new();
        let (alice, mut bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let message = alice.device.message(&mut world, chat, b"");
        world.call(alice.device.session, Body::Append(message)).unwrap();
        world.now = world.now.plus_millis(91 * 24 * 60 * 60 * 1000);
        assert!(!world.core.prune(world.now).unwrap());
        let page = bob.device.fetch_log(&mut world, chat, 0).unwrap();
        assert_eq!((page.entries.len(), page.head, page.first), (0, 2, 3));
        assert_eq!(bob.device.log_in(&mut world).unwrap().heads[0].sequence, 2);
        let message = alice.device.message(&mut world, chat, b"");
        world.call(alice.device.session, Body::Append(message)).unwrap();
        assert_eq!(bob.device.fetch_log(&mut world, chat, 0).unwrap().head, 3);
    }
}
