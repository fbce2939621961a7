//! `AskRoomPass`: a device that is logged in gets what lets one guest into a room under its account's name.
//!
//! Refused: `ROOMS_OFF`; `RATE_LIMITED`. The pass is in memory only and good once, for a minute ([`crate::rooms`]).

use subrosa_types::Username;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{RoomPass, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{self, StoreError};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login) -> Handled {
    turn.count_change()?;
    let Some(passes) = turn.state.config.passes.clone() else { return Err(ErrorCode::RoomsOff.into()) };
    let account = store::accounts::by_number(turn.store, login.account)?;
    let name = Username::from_prepared(&account.username).map_err(|_| StoreError::Damaged("the name of an account"))?;
    let (pass, expires_at) = passes.issue(name, turn.now, turn.rng);
    Ok(answer::Body::RoomPass(RoomPass { pass: pass.to_vec(), expires_at: expires_at.0 }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use subrosa_wire::proto::AskRoomPass;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::CoreConfig;
    use crate::core::testing::World;
    use crate::rooms::Passes;

    #[test]
    fn a_pass_is_for_who_asks_and_there_is_none_without_rooms_or_login() {
        let mut world = World::new();
        let alice = world.sign_up("alice").device.session;
        let refused = world.call(alice, Body::AskRoomPass(AskRoomPass {})).unwrap_err();
        assert_eq!(refused.code, ErrorCode::RoomsOff);

        let passes = Arc::new(Passes::default());
        let mut world = World::with(CoreConfig { passes: Some(passes.clone()), ..CoreConfig::default() });
        let alice = world.sign_up("alice").device.session;
        let Ok(answer::Body::RoomPass(given)) = world.call(alice, Body::AskRoomPass(AskRoomPass {})) else {
            panic!("a pass")
        };
        assert_eq!(passes.redeem(&given.pass, world.now).map(|name| name.to_string()), Some("alice".into()));
        let (stranger, _) = world.greet();
        let refused = world.call(stranger, Body::AskRoomPass(AskRoomPass {})).unwrap_err();
        assert_eq!(refused.code, ErrorCode::OutOfState);
    }
}
