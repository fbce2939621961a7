//! Devices of the own account: list, revoke, log out. Each change is a link of the signed device list.

use subrosa_crypto::Account;
use subrosa_types::Timestamp;
use subrosa_wire::proto::{self, client_frame};

use super::{Asked, Turn};
use crate::api::{Command, DeviceRow, Failure, Reply};
use crate::engine::{CommandId, Engine};
use crate::fault::{Fault, Outcome};
use crate::words;

impl Engine {
    pub(super) fn ask_own_devices(&mut self, id: CommandId) -> Turn {
        let Some(profile) = &self.profile else { return Turn::Finish(Err(words::not_logged_in())) };
        let lookup = proto::Lookup { by: Some(proto::lookup::By::AccountId(profile.account.to_vec())) };
        self.ask(id, client_frame::Request::Lookup(lookup), Asked::OwnDevices)
    }

    pub(super) fn own_devices(
        &mut self,
        id: CommandId,
        command: &Command,
        entry: &proto::DirectoryEntry,
        now: Timestamp,
    ) -> Outcome<Turn> {
        let own = match self.take_entry(entry)? {
            Ok(own) => own,
            Err(failure) => return Ok(Turn::Finish(Err(failure))),
        };
        let Some(profile) = &self.profile else { return Ok(Turn::Finish(Err(words::not_logged_in()))) };
        if own.id != profile.account || own.key != profile.account_key.public() {
            return Err(Fault::Lie("it names another key for this account"));
        }
        let (this, revoked) = match command {
            Command::RevokeDevice { device } => (profile.device, Some(*device)),
            Command::LogOut => (profile.device, Some(profile.device)),
            _ => (profile.device, None),
        };
        let Some(revoked) = revoked else {
            return Ok(Turn::Finish(Ok(Reply::Devices(rows(&own, this)))));
        };
        if !own.devices.contains(revoked) {
            return Ok(Turn::Finish(Err(Failure::usage(
                "no_such_device",
                "there is no such device; 'devices' lists them",
            ))));
        }
        let entry = own.devices.next_remove(revoked, now, &profile.account_key);
        let request = client_frame::Request::RevokeDevice(proto::RevokeDevice { device_list_entry: Some(entry) });
        let asked = if revoked == this { Asked::LogOut } else { Asked::Done(Reply::Done) };
        Ok(self.ask(id, request, asked))
    }
}

fn rows(own: &Account, this: subrosa_types::DeviceId) -> Vec<DeviceRow> {
    own.devices
        .active()
        .map(|device| DeviceRow {
            id: device.id,
            name: device.name.to_string(),
            this: device.id == this,
            enrolled_at: device.at,
        })
        .collect()
}
