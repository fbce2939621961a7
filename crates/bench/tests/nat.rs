//! Direct links behind address translators, once each: the short form of `cargo xtask bench nat`, which says more.
//!
//! The laboratory needs root, iproute2 and nftables, and Linux. Without them these tests say so and check nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test that fails is a test that fails")]

use std::process::Command;

use serde_json::Value;

/// How `bench nat` ends where it cannot run.
const SKIPPED: i32 = 77;
/// A silent path is given up after four seconds; what is more than this is another way of noticing.
const GAP_MS: u64 = 8_000;

/// One trial of a case; nothing where there can be no laboratory.
fn trial(case: &str, more: &[&str]) -> Option<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["nat", "--json", "--trials", "1", "--case", case])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        eprintln!("SKIPPED, nothing was checked: {said}");
        return None;
    }
    assert!(output.status.success(), "{case}: {said}");
    match serde_json::from_slice(&output.stdout) {
        Ok(trial) => Some(trial),
        Err(error) => panic!("{case}: {error}: {}", String::from_utf8_lossy(&output.stdout)),
    }
}

/// What holds wherever the peers are.
fn nothing_is_lost_and_nobody_else_is_contacted(case: &str, trial: &Value) {
    assert!(trial["sent"].as_u64().unwrap() > 0, "{case}: {trial}");
    assert_eq!(trial["lost"], 0, "{case}: {trial}");
    assert_eq!(trial["elsewhere"], 0, "{case}: {trial}");
}

fn becomes_direct_and_survives_a_cut(case: &str) {
    let Some(trial) = trial(case, &[]) else { return };
    nothing_is_lost_and_nobody_else_is_contacted(case, &trial);
    assert!(trial["direct_ms"].is_u64(), "{case}: {trial}");
    assert!(trial["gap_ms"].as_u64().is_some_and(|gap| gap < GAP_MS), "{case}: {trial}");
    assert_eq!(trial["redials"], 0, "{case}: {trial}");
}

fn works_through_the_relay_at_least(case: &str) {
    let Some(trial) = trial(case, &[]) else { return };
    nothing_is_lost_and_nobody_else_is_contacted(case, &trial);
}

#[test]
fn two_without_a_nat_talk_directly_and_through_the_relay_when_that_is_cut() {
    becomes_direct_and_survives_a_cut("open");
}

#[test]
fn two_homes_talk_directly_and_through_the_relay_when_that_is_cut() {
    becomes_direct_and_survives_a_cut("home-home");
}

#[test]
fn a_hard_nat_and_an_open_side_talk_directly_and_through_the_relay_when_that_is_cut() {
    becomes_direct_and_survives_a_cut("open-symmetric");
}

#[test]
fn two_behind_one_nat_talk_directly_and_through_the_relay_when_that_is_cut() {
    becomes_direct_and_survives_a_cut("same-nat");
}

#[test]
fn a_hard_nat_and_a_home_talk_through_the_relay_at_least() {
    works_through_the_relay_at_least("home-symmetric");
}

#[test]
fn a_hard_nat_and_a_home_whose_router_opens_a_port_talk_directly() {
    becomes_direct_and_survives_a_cut("asked-home-symmetric");
}

#[test]
fn two_hard_nats_talk_through_the_relay_at_least() {
    works_through_the_relay_at_least("symmetric-symmetric");
}

#[test]
fn without_udp_two_talk_through_the_relay() {
    let Some(trial) = trial("udp-blocked", &[]) else { return };
    nothing_is_lost_and_nobody_else_is_contacted("udp-blocked", &trial);
    assert!(trial["direct_ms"].is_null(), "the laboratory lets UDP through: {trial}");
}

#[test]
fn a_packet_to_somebody_else_would_be_seen() {
    let Some(trial) = trial("udp-blocked", &["--plant-stray-packet"]) else { return };
    assert_eq!(trial["elsewhere"], 1, "{trial}");
}
