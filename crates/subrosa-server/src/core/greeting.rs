//! What a device is told when it logs in, and when it has to catch up.

use subrosa_wire::proto::{self, HandOverPending, Head, LoggedIn, Resync, ServerFrame, answer, server_frame};

use super::directory;
use super::effects::Effect;
use super::failure::Handled;
use super::session::{Login, Stage};
use super::turn::Turn;
use crate::store::{self, DeviceNo, Stored};
use subrosa_wire::error::ErrorCode;

impl Turn<'_> {
    /// Logs the session in as this device; another connection of the same device ends.
    pub(crate) fn log_in(&mut self, login: Login) -> Handled {
        if let Some(other) = self.state.sessions.of_device(login.device)
            && other != self.session
        {
            self.effects.end(other, ErrorCode::Unspecified, "this device connected again");
            self.state.sessions.advance(other, Stage::Ended);
        }
        let greeting = self.greeting(&login)?;
        self.advance(Stage::LoggedIn(login));
        self.effects.all.push(Effect::LoggedIn(self.session, login.device, login.account_id));
        Ok(answer::Body::LoggedIn(greeting))
    }

    fn greeting(&self, login: &Login) -> Stored<LoggedIn> {
        let account = store::accounts::by_number(self.store, login.account)?;
        let hand_over = store::role_log::pending_hand_over(self.store)?
            .filter(|pending| pending.to == login.account_id)
            .map(|pending| HandOverPending { offer: Some(pending.offer) });
        let joinable = store::conversations::joinable(self.store, login.account, login.device)?;
        Ok(LoggedIn {
            account_id: login.account_id.to_vec(),
            own: Some(directory::entry(self.store, &account)?),
            heads: self.heads(login.device)?,
            inbox_head: store::inbox::head(self.store, login.device)?,
            role_position: self.state.roles.position().0,
            role_hash: self.state.roles.hash().map(|hash| hash.to_vec()).unwrap_or_default(),
            key_packages_left: store::key_packages::left(self.store, login.device)?,
            hand_over,
            joinable: joinable.iter().map(subrosa_types::ConversationId::to_vec).collect(),
        })
    }

    /// Where the logs of a device's conversations end.
    pub(crate) fn heads(&self, device: DeviceNo) -> Stored<Vec<Head>> {
        let heads = store::conversations::heads(self.store, device)?;
        Ok(heads
            .into_iter()
            .map(|(id, sequence)| Head { conversation_id: id.to_vec(), sequence: sequence.0 })
            .collect())
    }
}

/// Tells a device whose connection did not keep up where everything stands.
pub(crate) fn resync(turn: &mut Turn<'_>) -> Stored<()> {
    let Ok(Stage::LoggedIn(login)) = turn.stage() else { return Ok(()) };
    let device = login.device;
    let resync = Resync {
        heads: turn.heads(device)?,
        inbox_head: store::inbox::head(turn.store, device)?,
        role_position: turn.state.roles.position().0,
    };
    let frame = ServerFrame { body: Some(server_frame::Body::Resync(resync)) };
    turn.effects.all.push(Effect::Answer(turn.session, Box::new(frame)));
    Ok(())
}

impl Turn<'_> {
    /// Puts an item into a device's inbox and tells the device if it is online.
    pub(crate) fn put_into_inbox(
        &mut self,
        device: DeviceNo,
        kind: store::inbox::Kind,
        conversation: (store::ConversationNo, subrosa_types::ConversationId),
        sequence: subrosa_types::Sequence,
    ) -> Stored<()> {
        if self.state.config.faults.lose_inbox_item() {
            return Ok(());
        }
        let position = store::inbox::push(self.store, device, self.now, kind, conversation.0, sequence)?;
        let item = store::inbox::Item { position, at: self.now, kind, conversation: conversation.1, sequence };
        let grew = proto::InboxGrew { items: vec![super::requests::inbox::item(&item)] };
        self.effects.push(device, server_frame::Body::InboxGrew(grew));
        Ok(())
    }
}
