//! `FetchRoleLog`: the role log, for every client to follow and verify. It holds ids, keys and roles; no names. Never
//! refused.

use subrosa_types::RolePosition;
use subrosa_wire::proto::{FetchRoleLog, RoleLogPage, answer};

use crate::core::failure::Handled;
use crate::core::turn::Turn;
use crate::store::role_log;

/// Entries in one page.
const PAGE: usize = 256;

pub(crate) fn handle(turn: &mut Turn<'_>, request: &FetchRoleLog) -> Handled {
    let mut entries = role_log::page(turn.store, RolePosition(request.after), PAGE + 1)?;
    let more = entries.len() > PAGE;
    entries.truncate(PAGE);
    Ok(answer::Body::RoleLogPage(RoleLogPage { entries, more }))
}

#[cfg(test)]
mod tests {
    use subrosa_crypto::RoleLog;
    use subrosa_types::Role;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn everybody_can_follow_the_log_and_no_name_is_in_it() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        world.set_role(&alice, &bob, Role::Admin).unwrap();
        let mut log = RoleLog::new();
        let answer = world.call(bob.device.session, Body::FetchRoleLog(FetchRoleLog { after: 0 })).unwrap();
        let answer::Body::RoleLogPage(page) = answer else { panic!("{answer:?}") };
        assert!(!page.more);
        for entry in &page.entries {
            log.append(entry, &world.core.server_key()).unwrap();
            assert!(!entry.statement.windows(3).any(|window| window == b"bob"));
        }
        assert_eq!((log.role(alice.id), log.role(bob.id)), (Some(Role::SuperAdmin), Some(Role::Admin)));
    }
}
