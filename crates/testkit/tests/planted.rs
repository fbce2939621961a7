//! The checks of the World can fail: each bug that is planted is found within a few seeds, and those seeds pass without it.

use subrosa_engine::Faults as EngineFaults;
use subrosa_server::core::Faults as ServerFaults;
use testkit::world::liar::Lie;
use testkit::world::seeds::run_all;
use testkit::world::{Options, Violation};

/// Seeds within which a bug has to be found.
const SEEDS: u64 = 150;

/// Looks for a bug; returns what was found, and checks that the same world is fine without the bug.
fn caught(planted: &Options) -> Violation {
    let found = run_all(0, SEEDS, 2, 1, planted).violations;
    let found = found.into_iter().next().unwrap_or_else(|| panic!("nothing was found in {SEEDS} worlds"));
    let honest = Options { lie: planted.lie, ..Options::default() };
    let without = run_all(found.seed, 1, 1, 1, &honest).violations;
    assert!(without.is_empty(), "this world is broken without the bug, too: {}", without[0]);
    println!("seed {}: {}", found.seed, found.what);
    found
}

fn engine(faults: EngineFaults) -> Options {
    Options { engine_faults: faults, lie: Some(None), ..Options::default() }
}

fn server(faults: ServerFaults) -> Options {
    Options { server_faults: faults, lie: Some(None), ..Options::default() }
}

// ---- In the engine ---------------------------------------------------------------------------------------------------

#[test]
fn a_commit_that_is_merged_before_it_is_accepted_is_caught() {
    caught(&engine(EngineFaults { merge_before_acceptance: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_takes_log_entries_in_any_order_is_caught() {
    caught(&engine(EngineFaults { skip_order_check: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_forgets_its_idempotency_keys_is_caught() {
    caught(&engine(EngineFaults { forget_idempotency_key: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_sends_to_a_changed_key_is_caught() {
    caught(&engine(EngineFaults { ignore_changed_key: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_moves_its_cursor_before_the_message_is_stored_is_caught() {
    caught(&engine(EngineFaults { advance_before_store: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_takes_from_a_link_what_was_said_behind_the_log_is_caught() {
    caught(&engine(EngineFaults { take_direct_early: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_takes_orders_from_a_link_is_caught() {
    caught(&engine(EngineFaults { order_over_link: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_counts_on_a_link_without_confirmation_is_caught() {
    caught(&engine(EngineFaults { trust_link: true, ..EngineFaults::default() }));
}

#[test]
fn a_client_that_does_not_check_roles_is_caught_when_the_server_does_not_either() {
    let found = caught(&Options {
        engine_faults: EngineFaults { skip_role_check: true, ..EngineFaults::default() },
        lie: Some(Some(Lie::IllegalCommit)),
        ..Options::default()
    });
    assert!(found.what.contains("merged a commit that its author's role does not allow"), "{}", found.what);
}

#[test]
fn a_client_that_does_not_check_devices_is_caught_when_the_server_makes_one_up() {
    caught(&Options {
        engine_faults: EngineFaults { skip_device_check: true, ..EngineFaults::default() },
        lie: Some(Some(Lie::GhostCommit)),
        ..Options::default()
    });
}

// ---- In the server ---------------------------------------------------------------------------------------------------

#[test]
fn a_server_that_acknowledges_before_it_writes_is_caught() {
    let found = caught(&server(ServerFaults { acknowledge_before_write: true, ..ServerFaults::default() }));
    assert!(!found.what.contains("transaction"), "{}", found.what);
}

#[test]
fn a_server_that_forgets_idempotency_keys_is_caught() {
    // An honest client looks into the log before it sends again: it takes somebody who replays its frames.
    let faults = ServerFaults { forget_idempotency_key: true, ..ServerFaults::default() };
    caught(&Options { lie: Some(Some(Lie::Unreliable)), ..server(faults) });
}

#[test]
fn a_server_that_accepts_an_old_epoch_is_caught() {
    caught(&server(ServerFaults { accept_old_epoch: true, ..ServerFaults::default() }));
}

#[test]
fn a_server_that_does_not_check_roles_is_caught() {
    caught(&server(ServerFaults { skip_role_check: true, ..ServerFaults::default() }));
}

#[test]
fn a_server_that_does_not_check_membership_is_caught() {
    caught(&server(ServerFaults { skip_member_check: true, ..ServerFaults::default() }));
}

#[test]
fn a_server_that_pushes_out_of_order_is_caught() {
    caught(&server(ServerFaults { deliver_out_of_order: true, ..ServerFaults::default() }));
}

#[test]
fn a_server_that_loses_inbox_items_is_caught() {
    caught(&server(ServerFaults { lose_inbox_item: true, ..ServerFaults::default() }));
}

#[test]
fn a_server_that_serves_removed_devices_is_caught() {
    caught(&server(ServerFaults { serve_removed_device: true, ..ServerFaults::default() }));
}
