//! Bad luck: no server, another server, a damaged link, two servers in one folder, folders and disks that cannot be used.
//! Each refusal is one sentence with what to do next, and nothing is half-done.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::absence::files_under;
use crate::harness::{Process, Profile, SUBROSA, Server, headless};

#[test]
fn a_server_that_cannot_be_reached_is_exit_code_3() {
    let mut server = Server::start();
    let [alice] = server.people(["alice"]);
    server.kill();
    for command in [&["reload"][..], &["devices"], &["role", "list"], &["group", "create", "garden"], &["logout"]] {
        let said = alice.refused(3, command);
        assert!(said.contains("server"), "{said}");
    }
    let said = server.profile("bob").try_sign_up(&[]).refused(3);
    assert!(said.contains("server"), "{said}");
    server.profile("bob").try_log_in("whatever it may be", &[]).refused(3);
    // What is here needs no server.
    alice.ok(&["whoami"]);
    alice.ok(&["read", "--all"]);
    // Nor does it look as if there were no news.
    for command in [&["chats", "--json"][..], &["read"], &["invites"]] {
        let heard = alice.ok(command);
        assert!(heard.stderr.contains("offline") && heard.stderr.contains("on this device"), "{heard}");
    }
    server.start_again();
    assert!(!alice.ok(&["chats"]).stderr.contains("offline"));
}

#[test]
fn a_message_that_can_never_go_out_is_told_of() {
    let mut server = Server::start();
    let [alice] = server.people(["alice"]);
    server.kill();
    alice.refused(3, &["send", "@ghost", "precious text"]);
    server.start_again();
    let heard = alice.ok(&["reload", "--json"]);
    assert!(heard.stderr.contains("@ghost") && heard.stderr.contains("not sent"), "{heard}");
}

#[test]
fn a_server_with_another_key_is_not_trusted() {
    let server = Server::start();
    let other = Server::start();
    let theirs = other.link().rsplit('/').next().unwrap();
    let false_link = format!("subrosa://127.0.0.1:{}/{theirs}", server.port());
    let alice = server.profile("alice").through(&false_link);
    let said = alice.try_sign_up(&[]).refused(4);
    assert!(said.contains("link"), "{said}");
    alice.try_log_in("whatever it may be", &[]).refused(4);
    // Nothing was kept of it: with the right link the profile is as good as new.
    alice.through(server.link()).sign_up();
}

#[test]
fn another_server_at_the_same_address_is_noticed() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    server.kill();
    let _impostor = Server::with(&format!("127.0.0.1:{}", server.port()), &[]);
    let said = bob.refused(4, &["reload"]);
    assert!(said.contains("key"), "{said}");
    alice.refused(4, &["role", "list"]);
    let checks = alice.run(&["doctor"]);
    assert!(checks.stdout.contains("FAIL  server"), "{checks}");
    assert_eq!(checks.code, Some(4), "{checks}");
}

#[test]
fn a_profile_that_others_could_read_is_closed_and_its_owner_told() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let key = alice.home().join("store.key");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(alice.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let heard = alice.ok(&["whoami", "--json"]);
    assert!(heard.stderr.contains("store.key") && heard.stderr.lines().count() == 2, "{heard}");
    assert_eq!((mode(&key), mode(alice.home())), (0o600, 0o700));
    assert_eq!(alice.ok(&["whoami"]).stderr, "");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    alice.refused(3, &["doctor"]);
    alice.ok(&["doctor"]);
}

#[test]
fn a_server_that_listens_everywhere_says_that_others_need_its_name() {
    let folder = tempfile::TempDir::with_prefix("subrosa-everywhere-").unwrap();
    let serve = |more: &[&str]| {
        let mut command = headless(SUBROSA);
        command.args(["serve", "--listen", "0.0.0.0:0", "--data"]).arg(folder.path()).args(more);
        Process::start(command)
    };
    let mut server = serve(&[]);
    server.expect_text("subrosa://127.0.0.1:");
    server.expect_error("--public-host");
    server.say("TERMINATE");
    server.finish().succeeded();
    let mut server = serve(&["--public-host", "chat.example.org"]);
    server.expect_text("subrosa://chat.example.org:");
    server.say("TERMINATE");
    assert!(!server.finish().stderr.contains("--public-host"));
}

#[test]
fn a_damaged_link_is_refused_with_what_is_wrong() {
    let server = Server::start();
    let (address, fingerprint) = server.link().rsplit_once('/').unwrap();
    let damaged = [
        ("".to_owned(), "subrosa://"),
        ("https://example.org".to_owned(), "subrosa://"),
        (address.to_owned(), "fingerprint"),
        (format!("{address}/{}", &fingerprint[1..]), "fingerprint"),
        (format!("{address}/{fingerprint}0"), "fingerprint"),
        (format!("subrosa://127.0.0.1:99999/{fingerprint}"), "port"),
        (format!("subrosa://:1/{fingerprint}"), "host"),
    ];
    for (link, what) in damaged {
        let said = server.profile("alice").through(&link).try_sign_up(&[]).refused(1);
        assert!(said.contains(what), "{link:?}: {said}");
    }
}

fn serve(folder: &Path) -> Process {
    let mut command = headless(SUBROSA);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
    Process::start(command)
}

#[test]
fn a_folder_has_one_server() {
    let server = Server::start();
    let said = serve(server.data()).finish().refused(3);
    assert!(said.contains("another") || said.contains("in use"), "{said}");
    server.people(["alice"]);
}

#[test]
fn a_port_has_one_server() {
    let server = Server::start();
    let mut command = headless(SUBROSA);
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{}", server.port()), "--data"])
        .arg(server.folder().join("2"));
    let said = Process::start(command).finish().refused(3);
    assert!(said.contains(&server.port().to_string()), "{said}");
}

#[test]
fn a_damaged_store_is_named_and_left_as_it_is() {
    let mut server = Server::start();
    let [alice] = server.people(["alice"]);
    let store = alice.home().join("store.db");
    let whole = std::fs::read(&store).unwrap();
    std::fs::write(&store, vec![7; whole.len()]).unwrap();
    let said = alice.refused(3, &["whoami"]);
    assert!(said.contains("backup"), "{said}");
    assert_eq!(std::fs::read(&store).unwrap(), vec![7; whole.len()]);
    std::fs::write(&store, whole).unwrap();
    alice.ok(&["whoami"]);

    let key = alice.home().join("store.key");
    std::fs::rename(&key, alice.home().join("elsewhere")).unwrap();
    let said = alice.refused(3, &["whoami"]);
    assert!(said.contains("store.key"), "{said}");
    std::fs::rename(alice.home().join("elsewhere"), &key).unwrap();
    alice.ok(&["whoami"]);

    server.kill();
    let rubbish = "this is no database, and long enough to be looked at as one";
    let database = server.data().join("server.db");
    // First the write-ahead log is whole, and has pages that the file had.
    assert!(std::fs::metadata(server.data().join("server.db-wal")).unwrap().len() > 0);
    for damage in [rubbish, ""] {
        std::fs::write(&database, damage).unwrap();
        let said = serve(server.data()).finish().refused(3);
        assert!(said.contains("damaged") && said.contains("backup"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(std::fs::read_to_string(&database).unwrap(), damage);
    }
    for file in files_under(server.data()) {
        std::fs::write(file, rubbish).unwrap();
    }
    let said = serve(server.data()).finish().refused(3);
    assert!(said.contains("damaged") && said.contains("backup"), "{said}");
}

/// A small file system, where the story may have one.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Mounts one; `None`, said aloud, where the story may not.
    pub fn at(folder: &'a Path, kilobytes: u32) -> Option<Self> {
        std::fs::create_dir(folder).expect("a folder to mount on");
        let size = format!("size={kilobytes}k,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: this needs the right to mount a small file system");
        }
        mounted.then_some(Self(folder))
    }

    /// Uses up the room, down to the last byte.
    pub fn fill(&self) {
        let mut ballast =
            std::fs::OpenOptions::new().append(true).create(true).open(self.ballast()).expect("a new file");
        let mut size = 4096 * 1024;
        while size > 0 {
            if std::io::Write::write_all(&mut ballast, &vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Makes room again.
    pub fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Lets nobody write, not even root; or everybody again.
    fn set_read_only(&self, read_only: bool) {
        let how = if read_only { "remount,ro" } else { "remount,rw" };
        let done = Command::new("mount").args(["-o", how]).arg(self.0).status().expect("mount is there");
        assert!(done.success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _left_behind = Command::new("umount").args(["-l"]).arg(self.0).output();
    }
}

#[test]
fn a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room() {
    let folder = tempfile::TempDir::with_prefix("subrosa-disk-").unwrap();
    let disk = folder.path().join("disk");
    let Some(small) = SmallDisk::at(&disk, 4096) else { return };
    let server = Server::in_folder(disk.join("server"), "127.0.0.1:0", &[]);
    let [alice, bob]: [Profile; 2] = server.people(["alice", "bob"]);
    alice.send("@bob", "while there is room");
    small.fill();
    let long = "x".repeat(60 * 1024);
    let refused: Vec<_> = (0..8).map(|_| alice.run_with(&["send", "@bob", "--stdin", "--json"], &long)).collect();
    for outcome in &refused {
        let state = if outcome.code == Some(3) { "queued" } else { "accepted" };
        assert!(outcome.stdout.contains(state), "{outcome}");
    }
    assert!(!refused.last().unwrap().stdout.contains("accepted"), "{}", refused.last().unwrap());
    // Reading goes on while nothing can be written.
    assert_eq!(bob.history("@alice")[0], "alice: while there is room");

    small.empty();
    alice.send("@bob", "there is room again");
    let came = bob.history("@alice");
    assert_eq!(came.last().unwrap(), "alice: there is room again");
    assert_eq!(came, alice.history("@bob"));
}

#[test]
fn a_client_whose_disk_is_full_says_so_and_loses_nothing() {
    let server = Server::start();
    let disk = server.folder().join("disk");
    let Some(small) = SmallDisk::at(&disk, 4096) else { return };
    let bob = server.profile("bob").sign_up();
    let alice = server.profile("alice").at(&disk.join("alice")).sign_up();
    alice.send("@bob", "while there is room");
    small.fill();
    let said = alice.run_with(&["send", "@bob", "--stdin"], "x".repeat(60 * 1024)).refused(3);
    assert!(said.contains("make room"), "{said}");
    bob.send("@alice", "is anything wrong?");
    alice.run(&["read"]);
    small.empty();
    assert_eq!(alice.history("@bob"), ["alice: while there is room", "bob: is anything wrong?"]);
    alice.send("@bob", "not any more");
    assert_eq!(bob.history("@alice"), alice.history("@bob"));
}

#[test]
fn a_profile_that_cannot_be_written_is_exit_code_3() {
    let server = Server::start();
    // Nobody writes below a file.
    let file = server.folder().join("a-file");
    std::fs::write(&file, "").unwrap();
    let said = server.profile("bob").at(&file.join("profile")).try_sign_up(&[]).refused(3);
    assert!(said.contains("a-file"), "{said}");

    let disk = server.folder().join("disk");
    let Some(small) = SmallDisk::at(&disk, 4096) else { return };
    let alice = server.profile("alice").at(&disk.join("alice")).sign_up();
    small.set_read_only(true);
    for command in [&["whoami"][..], &["reload"], &["send", "@bob", "hello"]] {
        let said = alice.refused(3, command);
        assert!(said.contains("cannot be written") && said.contains("write access"), "{said}");
    }
    small.set_read_only(false);
    alice.ok(&["reload"]);
}

#[test]
fn whoever_speaks_another_protocol_is_sent_away_and_nobody_else_notices() {
    use std::io::{Read, Write};
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let rubbish: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff", &[0; 70_000], b""];
    for bytes in rubbish {
        let mut stranger = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        // The server may have hung up already.
        let _gone = stranger.write_all(bytes).and_then(|()| stranger.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        let _ended = stranger.take(1 << 20).read_to_end(&mut answer);
    }
    alice.send("@bob", "nothing happened");
    assert_eq!(bob.history("@alice"), ["alice: nothing happened"]);
}
