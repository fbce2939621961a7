//! From a frame to its handler, and from what the handler says to consequences.

use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::ClientFrame;
use subrosa_wire::proto::client_frame::Request as Body;

use super::failure::{Failure, Handled};
use super::requests as on;
use super::session::Stage;
use super::turn::Turn;
use super::{Request, greeting};
use crate::store::{StoreError, Stored};

/// Executes one request. `Err` only if the store failed; then the whole batch is rolled back.
pub(crate) fn dispatch(turn: &mut Turn<'_>, request: &Request) -> Result<(), StoreError> {
    // Nobody waits for an answer any more.
    if !turn.stage().is_ok_and(|stage| !matches!(stage, Stage::Ended)) {
        return Ok(());
    }
    let frame = match request {
        Request::Frame(frame) => frame,
        Request::Resync => return greeting::resync(turn),
    };
    if frame.id == 0 {
        end(turn, ErrorCode::Malformed);
        return Ok(());
    }
    if let Some(Body::Append(append)) = &frame.request {
        let handled = on::append::handle(turn, frame.id, append);
        return settle(turn, frame.id, handled.map(|()| None));
    }
    let handled = if writes(frame) { guarded(turn, frame)? } else { handle(turn, frame) };
    settle(turn, frame.id, handled.map(Some))
}

fn settle(
    turn: &mut Turn<'_>,
    id: u64,
    handled: Result<Option<subrosa_wire::proto::answer::Body>, Failure>,
) -> Result<(), StoreError> {
    match handled {
        Ok(Some(body)) => {
            turn.effects.answer(turn.session, id, body);
            // A device that ended itself gets its answer first.
            if matches!(turn.stage(), Ok(Stage::Ended)) {
                turn.effects.end(turn.session, ErrorCode::DeviceRevoked, "this device was logged out");
            }
        }
        Ok(None) => {}
        Err(Failure::Refused(refusal)) if refusal.ends_connection() => end(turn, refusal.code),
        Err(Failure::Refused(refusal)) => turn.effects.refuse(turn.session, id, refusal),
        Err(Failure::Store(error)) => return Err(error),
    }
    Ok(())
}

/// The peer broke the protocol: its connection ends, nobody else's.
fn end(turn: &mut Turn<'_>, code: ErrorCode) {
    tracing::debug!(session = turn.session.0, code = code.as_str_name(), "a connection broke the protocol");
    turn.effects.end(turn.session, code, "");
    turn.advance(Stage::Ended);
}

/// Runs a request that writes, so that a refusal in the middle leaves nothing.
fn guarded(turn: &mut Turn<'_>, frame: &ClientFrame) -> Stored<Handled> {
    turn.store.prepare_cached("SAVEPOINT request")?.execute([])?;
    let mark = turn.effects.all.len();
    let handled = handle(turn, frame);
    if let Err(Failure::Refused(_)) = &handled {
        turn.store.prepare_cached("ROLLBACK TO request")?.execute([])?;
        turn.effects.all.truncate(mark);
        turn.state.conversations.forget_dirty();
    }
    if !matches!(handled, Err(Failure::Store(_))) {
        turn.store.prepare_cached("RELEASE request")?.execute([])?;
    }
    Ok(handled)
}

/// Whether a request may write to the store, so that it has to wait when the disk is full.
pub(crate) fn writes(frame: &ClientFrame) -> bool {
    match &frame.request {
        Some(
            Body::RegisterFinish(_)
            | Body::EnrolDevice(_)
            | Body::ResetAccount(_)
            | Body::Append(_)
            | Body::Commit(_)
            | Body::ReserveConversation(_)
            | Body::FoundConversation(_)
            | Body::AcknowledgeInbox(_)
            | Body::LeaveConversation(_)
            | Body::FetchKeyPackages(_)
            | Body::PublishKeyPackages(_)
            | Body::RevokeDevice(_)
            | Body::SetRole(_)
            | Body::OfferHandOver(_)
            | Body::AnswerHandOver(_)
            | Body::CreateInvite(_)
            | Body::RevokeInvite(_),
        ) => true,
        Some(
            Body::Hello(_)
            | Body::RegisterStart(_)
            | Body::PasswordStart(_)
            | Body::PasswordFinish(_)
            | Body::DeviceLogin(_)
            | Body::FetchLog(_)
            | Body::FetchInbox(_)
            | Body::FetchWelcome(_)
            | Body::FetchGroupInfo(_)
            | Body::Lookup(_)
            | Body::FetchRoleLog(_)
            | Body::ListAccounts(_)
            | Body::ListInvites(_)
            | Body::ListConversations(_)
            | Body::RelayPass(_)
            | Body::AskRoomPass(_)
            | Body::EnterRoom(_)
            | Body::FoundRoom(_)
            | Body::RoomJoin(_)
            | Body::RoomCommit(_)
            | Body::RoomSend(_)
            | Body::Part(_)
            | Body::Ping(_),
        )
        | None => false,
    }
}

fn handle(turn: &mut Turn<'_>, frame: &ClientFrame) -> Handled {
    let Some(body) = &frame.request else {
        // A request of a newer protocol. Before the login there is none that may be passed over.
        turn.login()?;
        return Err(ErrorCode::UnknownRequest.into());
    };
    match body {
        Body::Hello(request) => on::hello::handle(turn, request),
        Body::RegisterStart(request) => on::register::start(turn, request),
        Body::RegisterFinish(request) => on::register::finish(turn, request),
        Body::PasswordStart(request) => on::password::start(turn, request),
        Body::PasswordFinish(request) => on::password::finish(turn, request),
        Body::EnrolDevice(request) => on::enrol::handle(turn, request),
        Body::Lookup(request) if matches!(turn.stage()?, Stage::Proved(..)) => on::enrol::look_again(turn, request),
        Body::ResetAccount(request) => on::reset::handle(turn, request),
        Body::DeviceLogin(request) => on::device_login::handle(turn, request),
        Body::Ping(_) if !matches!(turn.stage()?, Stage::Fresh) => Ok(super::done()),
        Body::Ping(_) => Err(ErrorCode::OutOfState.into()),
        // The gate puts parts together; one that comes here came alone.
        Body::Part(_) => Err(ErrorCode::OutOfState.into()),
        body => {
            let login = turn.login()?;
            match body {
                Body::Commit(request) => on::commit::handle(turn, &login, request),
                Body::ReserveConversation(request) => on::reserve::handle(turn, &login, request),
                Body::FoundConversation(request) => on::found::handle(turn, &login, request),
                Body::FetchLog(request) => on::fetch_log::handle(turn, &login, request),
                Body::FetchInbox(request) => on::inbox::fetch(turn, &login, request),
                Body::AcknowledgeInbox(request) => on::inbox::acknowledge(turn, &login, request),
                Body::FetchWelcome(request) => on::welcome::handle(turn, &login, request),
                Body::FetchGroupInfo(request) => on::group_info::handle(turn, &login, request),
                Body::LeaveConversation(request) => on::leave::handle(turn, &login, request),
                Body::Lookup(request) => on::lookup::handle(turn, request),
                Body::FetchKeyPackages(request) => on::key_packages::fetch(turn, request),
                Body::PublishKeyPackages(request) => on::key_packages::publish(turn, &login, request),
                Body::RevokeDevice(request) => on::revoke::handle(turn, &login, request),
                Body::FetchRoleLog(request) => on::role_log::handle(turn, request),
                Body::ListAccounts(request) => on::accounts::handle(turn, request),
                Body::SetRole(request) => on::set_role::handle(turn, &login, request),
                Body::OfferHandOver(request) => on::hand_over::offer(turn, &login, request),
                Body::AnswerHandOver(request) => on::hand_over::answer(turn, &login, request),
                Body::CreateInvite(request) => on::invites::create(turn, &login, request),
                Body::ListInvites(_) => on::invites::list(turn, &login),
                Body::RevokeInvite(request) => on::invites::revoke(turn, &login, request),
                Body::ListConversations(_) => on::conversations::handle(turn, &login),
                Body::RelayPass(request) => on::relay_pass::handle(turn, &login, request),
                Body::AskRoomPass(_) => on::room_pass::handle(turn, &login),
                // The rest is above, and before the login.
                _ => Err(ErrorCode::OutOfState.into()),
            }
        }
    }
}
