//! `ListAccounts`: a page of all accounts with their roles, in the order of ids. Never refused.

use subrosa_wire::proto::{AccountPage, AccountRow, ListAccounts, answer};

use crate::core::failure::Handled;
use crate::core::turn::Turn;
use crate::store::accounts;

/// Accounts in one page.
const PAGE: usize = 256;

pub(crate) fn handle(turn: &mut Turn<'_>, request: &ListAccounts) -> Handled {
    let mut page = accounts::page(turn.store, &request.after, PAGE + 1)?;
    let more = page.len() > PAGE;
    page.truncate(PAGE);
    let accounts = page
        .into_iter()
        .map(|(id, username)| AccountRow {
            account_id: id.to_vec(),
            username,
            role: turn.role(id).map_or(0, |role| u32::from(role.code())),
        })
        .collect();
    Ok(answer::Body::AccountPage(AccountPage { accounts, more }))
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn all_accounts_are_listed_with_their_roles_page_by_page() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        world.sign_up("bob");
        let mut list = |after: Vec<u8>| {
            let answer = world.call(alice.device.session, Body::ListAccounts(ListAccounts { after })).unwrap();
            let answer::Body::AccountPage(page) = answer else { panic!("{answer:?}") };
            page
        };
        let page = list(Vec::new());
        let mut names: Vec<_> = page.accounts.iter().map(|row| (row.username.as_str(), row.role)).collect();
        names.sort_unstable();
        assert_eq!((names, page.more), (vec![("alice", 4), ("bob", 1)], false));
        assert!(page.accounts[0].account_id < page.accounts[1].account_id);
        assert_eq!(list(page.accounts[0].account_id.clone()).accounts, page.accounts[1..]);
    }
}
