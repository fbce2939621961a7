//! Keys leave as PEM, and other programs read them (row D2).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::BASE64;
use subrosa_crypto::{SafetyNumber, VerifyingKey};
use subrosa_types::AccountId;

use crate::harness::{PASSWORD, Profile, Server};

/// The blocks of a PEM file: what they are called, and what is in them.
fn blocks(pem: &str) -> Vec<(String, Vec<u8>)> {
    let mut blocks = Vec::new();
    let mut lines = pem.lines();
    while let Some(line) = lines.next() {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            let end = format!("-----END {label}-----");
            let body: String = lines.by_ref().take_while(|line| *line != end).collect();
            blocks.push((label.to_owned(), BASE64.decode(body.as_bytes()).expect("base64")));
        }
    }
    blocks
}

/// The key in a SubjectPublicKeyInfo of Ed25519 (RFC 8410 §4).
fn public_key(der: &[u8]) -> [u8; 32] {
    let prefix = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.strip_prefix(&prefix).expect("Ed25519, RFC 8410").try_into().expect("32 bytes")
}

fn account(profile: &Profile) -> (AccountId, VerifyingKey) {
    let row = profile.json(&["export"]).remove(0);
    assert_eq!((row["key"].as_str(), row["name"].as_str()), (Some("account"), Some(profile.name())));
    let key = public_key(&blocks(row["public"].as_str().expect("PEM"))[0].1);
    let id = row["id"].as_str().and_then(|id| id.parse().ok()).expect("the id of an account");
    (id, VerifyingKey::from_bytes(key).expect("a key"))
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("the file is there").permissions().mode() & 0o777
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("paths of the story are UTF-8").to_owned()
}

#[test]
fn public_keys_leave_as_pem_and_are_those_that_people_compare() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let number = SafetyNumber::of(account(&alice), account(&bob));
    assert_eq!(alice.json(&["verify", "@bob"])[0]["digits"], number.digits());

    let rows = alice.json(&["export"]);
    assert_eq!((rows.len(), &rows[1]["key"]), (2, &"device".into()));
    assert_eq!(rows[1]["id"].as_str(), Some(alice.devices()[0].0.as_str()));
    assert_eq!(rows[1]["id"], alice.json(&["whoami"])[0]["device"]);
    let printed = alice.ok(&["export"]).stdout;
    assert_eq!(blocks(&printed).iter().map(|block| block.0.as_str()).collect::<Vec<_>>(), ["PUBLIC KEY"; 2]);
    for row in &rows {
        assert!(printed.contains(row["public"].as_str().expect("PEM").trim_end()), "{printed}");
        assert!(printed.contains(row["id"].as_str().expect("an id")), "{printed}");
    }

    // Without a server, too; and in a file.
    server.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "keys.pem");
    alice.ok(&["export", "--out", &file]);
    assert_eq!(std::fs::read_to_string(&file).expect("the file").trim_end(), printed.trim_end());
    assert_eq!(mode(file.as_ref()), 0o600);
}

#[test]
fn private_keys_leave_into_a_private_file_after_the_password_and_belong_to_the_public_ones() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "keys.pem");
    let export = ["export", "--danger-private", "--password-stdin", "--out", &file];

    alice.refused(1, &["export", "--danger-private"]);
    let said = alice.refused(1, &["export", "--danger-private", "--out", &file]);
    assert!(said.contains("--password-stdin"), "{said}");
    alice.run_with(&export, "not the password at all\n").refused(1);
    assert!(!Path::new(&file).exists(), "nothing was written");

    let told = alice.run_with(&[&export[..], &["--json", "-vv"]].concat(), format!("{PASSWORD}\n")).succeeded();
    assert_eq!(mode(file.as_ref()), 0o600);
    let pem = std::fs::read_to_string(&file).expect("the file");
    let blocks = blocks(&pem);
    let labels: Vec<&str> = blocks.iter().map(|block| block.0.as_str()).collect();
    assert_eq!(labels, ["PUBLIC KEY", "PRIVATE KEY", "PUBLIC KEY", "PRIVATE KEY"]);
    for pair in blocks.chunks(2) {
        let private = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pair[1].1).expect("PKCS#8 of an Ed25519 key");
        assert_eq!(private.public_key().as_ref(), public_key(&pair[0].1));
        let signature = private.sign(b"signed elsewhere");
        UnparsedPublicKey::new(&ED25519, public_key(&pair[0].1))
            .verify(b"signed elsewhere", signature.as_ref())
            .expect("they belong together");
        // Neither in the output nor in the log.
        let secret = BASE64.encode(&pair[1].1);
        assert!(pem.contains(&secret) && !told.to_string().contains(&secret), "{told}");
    }
    assert_eq!(told.objects()[0]["private"], true);

    // The file stays as it is, whatever is asked for next.
    for again in [&export[..], &["export", "--out", &file]] {
        let said = alice.run_with(again, format!("{PASSWORD}\n")).refused(1);
        assert!(said.contains("exists already"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), pem);
    assert_eq!(alice.json(&["whoami"])[0]["name"], "alice", "the device goes on as it was");
}

#[test]
fn private_keys_do_not_leave_the_process_that_runs_the_profile() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "keys.pem");
    let mut console = alice.start(&["chat"]);
    console.say("/whoami");
    console.expect_text("@alice");
    assert_eq!(alice.json(&["export"]).len(), 2, "public ones do");
    let export = ["export", "--danger-private", "--password-stdin", "--out", &file];
    let said = alice.run_with(&export, format!("{PASSWORD}\n")).refused(1);
    assert!(said.contains("end it"), "{said}");
    assert!(!Path::new(&file).exists());
    console.say("EXIT");
    console.finish().succeeded();
    alice.run_with(&export, format!("{PASSWORD}\n")).succeeded();
    assert_eq!(mode(file.as_ref()), 0o600);
}
