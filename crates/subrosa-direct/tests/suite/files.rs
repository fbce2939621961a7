//! Files over links that break, between disks that fail and from senders that lie.
//!
//! Where a lie has to be told, the encryption is `pseudo` and somebody on the way tells it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use prost::Message;
use subrosa_direct::{Encryption, Event, FileOutcome, Wish};
use subrosa_wire::proto::direct_frame::Frame;
use subrosa_wire::proto::direct_message::Message as Content;
use subrosa_wire::proto::{DirectMessage, DirectRecord};
use tempfile::TempDir;

use crate::contract::over_memory;
use crate::meddler::{Act, Meddled};
use crate::person::Person;

/// The message in a record without encryption.
fn read(record: &DirectRecord) -> Content {
    DirectMessage::decode(&record.sealed[8..]).unwrap().message.unwrap()
}

fn with(record: &DirectRecord, content: Content) -> Frame {
    let message = DirectMessage { message: Some(content) }.encode_to_vec();
    Frame::Record(DirectRecord { number: record.number, sealed: [&record.sealed[..8], &message].concat() })
}

/// Changes what bob sends.
fn lying(mut lie: impl FnMut(Content) -> Content + Send) -> impl FnMut(u32, Frame) -> Act + Send {
    move |_, frame| match frame {
        Frame::Record(record) => Act::Pass(with(&record, lie(read(&record)))),
        frame => Act::Pass(frame),
    }
}

struct Scene {
    alice: Person,
    bob: Person,
    /// Where alice's files go.
    inbox: TempDir,
    outbox: TempDir,
}

fn scene(encryption: Encryption, meddle: impl FnMut(u32, Frame) -> Act + Send + 'static) -> Scene {
    let (inbox, outbox) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let road = over_memory(encryption);
    let place = Some(inbox.path().to_owned());
    let alice = Person::start_with_files("alice", road.listener, encryption, road.inviting, place);
    let bob = Person::start("bob", Meddled::new(road.dialer, meddle), encryption, road.invited);
    Scene { alice, bob, inbox, outbox }
}

fn content(length: u32) -> Vec<u8> {
    (0..length).map(|number| (number % 253) as u8).collect()
}

impl Scene {
    async fn send(&self, name: &str, content: &[u8]) {
        let path = self.outbox.path().join(name);
        std::fs::write(&path, content).unwrap();
        self.bob.wish(Wish::Send(path)).await;
    }

    async fn ended(&mut self) -> (FileOutcome, FileOutcome) {
        let ended = |event: &Event| match event {
            Event::FileEnded { outcome, .. } => Some(*outcome),
            _ => None,
        };
        (self.alice.expect("the end of the file", ended).await, self.bob.expect("the end of the file", ended).await)
    }

    async fn close(self) {
        self.bob.leave().await;
        self.alice.end().await.0.unwrap();
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_whose_link_breaks_goes_on_where_it_was() {
    let starts = Arc::new(Mutex::new(Vec::new()));
    let noted = starts.clone();
    let mut chunks = 0;
    let cut = move |link: u32, frame: Frame| {
        if let Frame::Record(record) = &frame {
            match read(record) {
                Content::Start(start) => noted.lock().unwrap().push(start.offset),
                Content::Chunk(_) if link == 1 => {
                    chunks += 1;
                    if chunks == 12 {
                        return Act::Cut;
                    }
                }
                _ => {}
            }
        }
        Act::Pass(frame)
    };
    let mut scene = scene(Encryption::Pseudo, cut);
    let content = content(4_000_000);
    scene.send("film.mkv", &content).await;
    assert_eq!(scene.ended().await, (FileOutcome::Done, FileOutcome::Done));
    assert_eq!(std::fs::read(scene.inbox.path().join("film.mkv")).unwrap(), content);
    assert_eq!(names_in(scene.inbox.path()), ["film.mkv"]);
    let starts = starts.lock().unwrap().clone();
    assert!(starts.len() == 2 && starts[0] == 0 && starts[1] >= 128 * 1024, "{starts:?}");
    scene.close().await;
}

#[tokio::test]
async fn what_is_left_of_an_earlier_run_counts_only_if_the_file_begins_like_that() {
    let content = content(1_000_000);
    let hash = data_encoding::HEXLOWER.encode(&subrosa_crypto::sha256(&content)[..8]);
    for (left, expected) in [(content[..300_000].to_vec(), 300_000), (vec![7; 300_000], 0)] {
        let start = Arc::new(Mutex::new(None));
        let noted = start.clone();
        let look = move |_: u32, frame: Frame| {
            if let Frame::Record(record) = &frame
                && let Content::Start(start) = read(record)
            {
                *noted.lock().unwrap() = Some(start.offset);
            }
            Act::Pass(frame)
        };
        let mut scene = scene(Encryption::Pseudo, look);
        std::fs::write(scene.inbox.path().join(format!("film.mkv.{hash}.{}.part", content.len())), left).unwrap();
        scene.send("film.mkv", &content).await;
        assert_eq!(scene.ended().await, (FileOutcome::Done, FileOutcome::Done));
        assert_eq!(std::fs::read(scene.inbox.path().join("film.mkv")).unwrap(), content);
        assert_eq!(*start.lock().unwrap(), Some(expected));
        scene.close().await;
    }
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_folder_does_not() {
    let lie = |content| match content {
        Content::Offer(mut offer) => {
            offer.name = "../../../../tmp/\u{202E}gpj.evil\u{1b}[2J".to_owned();
            Content::Offer(offer)
        }
        content => content,
    };
    let mut scene = scene(Encryption::Pseudo, lying(lie));
    scene.send("harmless", b"content").await;
    assert_eq!(scene.ended().await.0, FileOutcome::Done);
    assert_eq!(names_in(scene.inbox.path()), ["_gpj.evil_[2J"]);
    scene.close().await;
}

#[tokio::test]
async fn a_file_that_is_not_what_was_offered_is_not_kept() {
    let lie = |content| match content {
        Content::Chunk(mut chunk) => {
            chunk.data[0] ^= 1;
            Content::Chunk(chunk)
        }
        content => content,
    };
    let mut scene = scene(Encryption::Pseudo, lying(lie));
    scene.send("contract.pdf", &content(300_000)).await;
    assert_eq!(scene.ended().await, (FileOutcome::Damaged, FileOutcome::Damaged));
    assert_eq!(names_in(scene.inbox.path()), [""; 0]);
    scene.close().await;
}

#[tokio::test]
async fn chunks_that_do_not_fit_and_absurd_sizes_end_the_link() {
    let lies: [fn(Content) -> Content; 4] = [
        |content| match content {
            Content::Chunk(chunk) => Content::Chunk(subrosa_wire::proto::DirectFileChunk { offset: 5, ..chunk }),
            content => content,
        },
        |content| match content {
            Content::Chunk(chunk) => Content::Chunk(subrosa_wire::proto::DirectFileChunk { data: vec![], ..chunk }),
            content => content,
        },
        |content| match content {
            Content::Offer(offer) => Content::Offer(subrosa_wire::proto::DirectFileOffer { size: u64::MAX, ..offer }),
            content => content,
        },
        |content| match content {
            Content::Start(start) => Content::Start(subrosa_wire::proto::DirectFileStart { offset: 9, ..start }),
            content => content,
        },
    ];
    for lie in lies {
        let mut scene = scene(Encryption::Pseudo, lying(lie));
        scene.send("a", &content(100)).await;
        assert_eq!(scene.alice.broken().await, "protocol");
        scene.bob.vanish();
    }
}

#[tokio::test]
async fn what_exists_is_not_overwritten() {
    let mut scene = scene(Encryption::Mls, |_, frame| Act::Pass(frame));
    std::fs::write(scene.inbox.path().join("notes.txt"), "mine").unwrap();
    scene.send("notes.txt", b"").await;
    assert_eq!(scene.ended().await, (FileOutcome::Done, FileOutcome::Done), "also when it is empty");
    assert_eq!(names_in(scene.inbox.path()), ["notes (1).txt", "notes.txt"]);
    assert_eq!(std::fs::read(scene.inbox.path().join("notes.txt")).unwrap(), b"mine");
    scene.close().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_ends_the_file_and_not_the_chat() {
    let mut scene = scene(Encryption::Mls, |_, frame| Act::Pass(frame));
    std::fs::remove_dir(scene.inbox.path()).unwrap();
    scene.send("a", b"content").await;
    assert_eq!(scene.ended().await, (FileOutcome::NoRoom, FileOutcome::NoRoom));
    scene.bob.say("still there?").await;
    assert_eq!(scene.alice.hears().await, "still there?");
    scene.close().await;
}

#[tokio::test]
async fn a_person_is_asked_and_can_decline() {
    let road = over_memory(Encryption::Mls);
    let folder = tempfile::tempdir().unwrap();
    let mut alice = Person::start("alice", road.listener, Encryption::Mls, road.inviting);
    let mut bob = Person::start("bob", road.dialer, Encryption::Mls, road.invited);
    let path = folder.path().join("unwanted.bin");
    std::fs::write(&path, b"content").unwrap();
    bob.wish(Wish::Send(path)).await;
    let offered = |event: &Event| match event {
        Event::FileOffered(file) => Some(file.number),
        _ => None,
    };
    let number = alice.expect("the offer", offered).await;
    alice.wish(Wish::Decline(Some(number))).await;
    let ended = |event: &Event| match event {
        Event::FileEnded { outcome, .. } => Some(*outcome),
        _ => None,
    };
    assert_eq!(bob.expect("the end", ended).await, FileOutcome::Declined);
    let not_done = |event: &Event| match event {
        Event::NotDone { code, .. } => Some(*code),
        _ => None,
    };
    alice.wish(Wish::Accept(Some(number))).await;
    assert_eq!(alice.expect("a word on it", not_done).await, "no_such_file");
    bob.wish(Wish::Send(folder.path().to_owned())).await;
    assert_eq!(bob.expect("a word on it", not_done).await, "file_not_sent", "a folder");
    bob.leave().await;
    alice.end().await.0.unwrap();
}
