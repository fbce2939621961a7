//! `Lookup`: the directory entry of an account, by name or id.
//!
//! Refused: `NO_SUCH_ACCOUNT`.

use subrosa_types::AccountId;
use subrosa_types::name::Username;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Lookup, answer, lookup};

use crate::core::directory;
use crate::core::failure::Handled;
use crate::core::turn::Turn;
use crate::store::accounts;

pub(crate) fn handle(turn: &mut Turn<'_>, request: &Lookup) -> Handled {
    let found = match request.by.as_ref().ok_or(ErrorCode::Malformed)? {
        lookup::By::Username(name) => match Username::from_prepared(name) {
            Ok(name) => accounts::by_username(turn.store, name.as_str())?,
            Err(_) => None,
        },
        lookup::By::AccountId(id) => accounts::by_id(turn.store, AccountId::from_slice(id)?)?,
    };
    let account = found.ok_or(ErrorCode::NoSuchAccount)?;
    Ok(answer::Body::DirectoryEntry(directory::entry(turn.store, &account)?))
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn an_account_is_found_by_name_and_by_id_and_shows_no_email() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        for by in [lookup::By::Username("bob".into()), lookup::By::AccountId(bob.id.to_vec())] {
            let answer = world.call(alice.device.session, Body::Lookup(Lookup { by: Some(by) })).unwrap();
            let answer::Body::DirectoryEntry(entry) = answer else { panic!("{answer:?}") };
            let found = subrosa_crypto::verify_directory_entry(&entry, &world.core.server_key()).unwrap();
            assert_eq!(found.id, bob.id);
            let bytes = subrosa_wire::encode(&entry);
            assert!(!bytes.windows(11).any(|window| window == b"example.org"));
        }
        for name in ["carol", "BOB", ""] {
            let by = Some(lookup::By::Username(name.into()));
            let refused = world.call(alice.device.session, Body::Lookup(Lookup { by })).unwrap_err();
            assert_eq!(refused.code, ErrorCode::NoSuchAccount);
        }
    }
}
