//! Hostile peers and networks: each attack is named by the side that it is aimed at, and costs nothing but the link.
//!
//! Somebody on the way meddles with what the dialer sends; the listener has to notice. `pseudo` has nothing to notice it
//! with: what it misses is tested, too, so that nobody believes otherwise.

use std::time::{Duration, Instant};

use prost::Message;
use subrosa_direct::{Communicator, Encryption, Invitation, Pairing, Ticket, Timing, Way, Wish, memory};
use subrosa_wire::encode;
use subrosa_wire::proto::direct_frame::Frame;
use subrosa_wire::proto::direct_message::Message as Content;
use subrosa_wire::proto::{DirectEncryption, DirectFrame, DirectHello, DirectMessage, DirectRecord};

use crate::contract::over_memory;
use crate::meddler::{Act, Meddled, with_record};
use crate::person::{Person, quick};

const PROTECTING: [Encryption; 2] = [Encryption::Mls, Encryption::Rsa];

/// Somebody does this to the first link. The listener must name it so; afterwards the chat goes on over a further link, and
/// everything that was said is shown once, in order.
async fn attacked(encryption: Encryption, expected: &[&str], meddle: impl FnMut(u32, Frame) -> Act + Send + 'static) {
    let road = over_memory(encryption);
    let mut alice = Person::start("alice", road.listener, encryption, road.inviting);
    let mut bob = Person::start("bob", Meddled::new(road.dialer, meddle), encryption, road.invited);
    bob.connected().await;
    for text in ["one", "two", "three", "four", "five"] {
        bob.say(text).await;
    }
    let mut shown = Vec::new();
    let code = alice
        .expect("a break", |event| match event {
            subrosa_direct::Event::Message { text, .. } => {
                shown.push(text.clone());
                None
            }
            subrosa_direct::Event::Broken { cause, .. } => Some(cause.code()),
            _ => None,
        })
        .await;
    assert!(expected.contains(&code), "{encryption}: {code}");
    while shown.len() < 5 {
        shown.push(alice.hears().await);
    }
    assert_eq!(shown, ["one", "two", "three", "four", "five"], "{encryption}");
    bob.leave().await;
    alice.end().await.0.unwrap();
}

#[tokio::test]
async fn a_record_that_is_played_again_is_named() {
    for encryption in Encryption::ALL {
        let twice = |record: DirectRecord| Act::Instead(vec![Frame::Record(record.clone()), Frame::Record(record)]);
        attacked(encryption, &["replayed"], with_record(1, twice)).await;
        // With the number of the next one, outside of the encryption.
        let renumbered = |record: DirectRecord| {
            let again = DirectRecord { number: 2, ..record.clone() };
            Act::Instead(vec![Frame::Record(record), Frame::Record(again)])
        };
        attacked(encryption, &["replayed", "altered"], with_record(1, renumbered)).await;
    }
}

#[tokio::test]
async fn records_out_of_order_or_missing_are_named() {
    for encryption in Encryption::ALL {
        let mut held = None;
        let swapped = move |link: u32, frame: Frame| match frame {
            Frame::Record(record) if link == 1 && record.number == 1 => {
                held = Some(record);
                Act::Instead(vec![])
            }
            Frame::Record(record) if link == 1 && record.number == 2 => {
                Act::Instead(vec![Frame::Record(record), Frame::Record(held.take().unwrap())])
            }
            frame => Act::Pass(frame),
        };
        attacked(encryption, &["reordered"], swapped).await;
        attacked(encryption, &["reordered"], with_record(2, |_| Act::Instead(vec![]))).await;
    }
}

#[tokio::test]
async fn a_record_that_was_changed_is_named() {
    for encryption in PROTECTING {
        for from_end in [1, 20] {
            let changed = move |mut record: DirectRecord| {
                let at = record.sealed.len() - from_end;
                record.sealed[at] ^= 1;
                Act::Pass(Frame::Record(record))
            };
            attacked(encryption, &["altered"], with_record(1, changed)).await;
        }
    }
}

#[tokio::test]
async fn an_end_without_a_goodbye_is_named_and_not_believed() {
    for encryption in Encryption::ALL {
        attacked(encryption, &["truncated"], with_record(2, |_| Act::Cut)).await;
    }
}

#[tokio::test]
async fn an_oversized_record_is_refused() {
    for encryption in Encryption::ALL {
        let large =
            |record: DirectRecord| Act::Pass(Frame::Record(DirectRecord { sealed: vec![0; 300 * 1024], ..record }));
        attacked(encryption, &["too_large", "altered"], with_record(1, large)).await;
    }
}

#[tokio::test]
async fn a_silent_link_is_dead_after_a_bound() {
    for encryption in Encryption::ALL {
        attacked(encryption, &["silent"], with_record(2, |_| Act::Hang)).await;
    }
}

#[tokio::test]
async fn a_frame_that_is_no_record_ends_the_link() {
    attacked(Encryption::Mls, &["protocol"], with_record(1, |_| Act::Pass(Frame::Agreement(vec![1])))).await;
}

/// What somebody on the way does to `pseudo`, knowing its form: it says something else.
fn put_words_into_a_mouth(record: DirectRecord) -> Act {
    let (number, message) = record.sealed.split_first_chunk::<8>().unwrap();
    let mut message = DirectMessage::decode(message).unwrap();
    if let Some(Content::Text(text)) = &mut message.message {
        text.text = "what bob never said".to_owned();
    }
    let sealed = [number.as_slice(), &message.encode_to_vec()].concat();
    Act::Pass(Frame::Record(DirectRecord { sealed, ..record }))
}

#[tokio::test]
async fn pseudo_does_not_notice_a_changed_text() {
    let road = over_memory(Encryption::Pseudo);
    let mut alice = Person::start("alice", road.listener, Encryption::Pseudo, road.inviting);
    let meddle = |_: u32, frame| match frame {
        Frame::Record(record) => put_words_into_a_mouth(record),
        frame => Act::Pass(frame),
    };
    let mut bob = Person::start("bob", Meddled::new(road.dialer, meddle), Encryption::Pseudo, road.invited);
    bob.connected().await;
    bob.say("what bob said").await;
    assert_eq!(alice.hears().await, "what bob never said");
    bob.leave().await;
    alice.end().await.0.unwrap();
}

fn ticket(invitation: &Invitation, encryption: Encryption) -> Ticket {
    invitation.ticket(encryption, Way::Tcp(vec!["memory:1".into()]))
}

#[tokio::test]
async fn who_answers_with_another_key_than_the_ticket_names_is_refused() {
    for encryption in Encryption::ALL {
        let (wanted, somebody) = (Invitation::generate(), Invitation::generate());
        let (listener, dialer) = memory::pair();
        let invited = Pairing::invited(&ticket(&wanted, encryption)).unwrap();
        let mut mallory = Person::start("mallory", listener, encryption, Pairing::inviting(&somebody));
        let bob = Person::start("bob", dialer, encryption, invited);
        bob.say("for alice only").await;
        assert_eq!(bob.fails().await, "wrong_key", "{encryption}");
        assert_eq!(mallory.turns_away().await, "refused");
    }
}

#[tokio::test]
async fn a_ticket_with_another_secret_is_refused_and_the_listener_waits_on() {
    let invitation = Invitation::generate();
    let good = ticket(&invitation, Encryption::Mls);
    for (stolen, inviting) in [
        (Pairing::invited(&Ticket { secret: [0; 16], ..good.clone() }).unwrap(), Pairing::inviting(&invitation)),
        (Pairing::unknown(), Pairing::inviting(&invitation).ticket_only()),
    ] {
        let (listener, dialer) = memory::pair();
        let mut alice = Person::start("alice", listener, Encryption::Mls, inviting);
        let mallory = Person::start("mallory", dialer, Encryption::Mls, stolen);
        assert_eq!(mallory.fails().await, "ticket_refused");
        assert_eq!(alice.turns_away().await, "ticket_refused");
    }
}

#[tokio::test]
async fn without_a_ticket_the_words_differ_when_somebody_stands_in_between() {
    for encryption in Encryption::ALL {
        let (at_alice, from_mallory) = memory::pair();
        let (at_mallory, from_bob) = memory::pair();
        let mut alice = Person::start("alice", at_alice, encryption, Pairing::unknown());
        let mallory = Person::start("mallory", from_mallory, encryption, Pairing::unknown());
        let mallorys_other_half = Person::start("mallory", at_mallory, encryption, Pairing::unknown());
        let mut bob = Person::start("bob", from_bob, encryption, Pairing::unknown());
        let ((at_alice, vouched), (at_bob, _)) = (alice.connected().await, bob.connected().await);
        assert_ne!(at_alice, at_bob, "{encryption}");
        assert!(!vouched);
        mallory.leave().await;
        bob.leave().await;
        alice.end().await.0.unwrap();
        mallorys_other_half.end().await.0.unwrap();
    }
}

#[tokio::test]
async fn without_a_ticket_and_with_nobody_in_between_the_words_are_the_same() {
    let (listener, dialer) = memory::pair();
    let mut alice = Person::start("alice", listener, Encryption::Rsa, Pairing::unknown());
    let mut bob = Person::start("bob", dialer, Encryption::Rsa, Pairing::unknown());
    let words = alice.connected().await;
    assert_eq!(words, bob.connected().await);
    assert!(!words.1);
    bob.leave().await;
    alice.end().await.0.unwrap();
}

/// Somebody changes the first seconds of the link. The dialer must fail with one of these words, and nothing it said may
/// have gone out; the listener must name it and wait on.
async fn first_seconds(
    encryption: Encryption,
    expected: [&[&str]; 2],
    meddle: impl FnMut(u32, Frame) -> Act + Send + 'static,
) {
    let road = over_memory(encryption);
    let mut alice = Person::start("alice", road.listener, encryption, road.inviting);
    let bob = Person::start("bob", Meddled::new(road.dialer, meddle), encryption, road.invited);
    bob.say("too early").await;
    let at_bob = bob.fails().await;
    assert!(expected[0].contains(&at_bob), "{encryption}: bob says {at_bob}");
    let at_alice = alice.turns_away().await;
    assert!(expected[1].contains(&at_alice), "{encryption}: alice says {at_alice}");
}

#[tokio::test]
async fn a_hello_that_was_swapped_after_its_commitment_is_noticed() {
    let swap = |_: u32, frame| match frame {
        Frame::Hello(bytes) => {
            let mut hello = DirectHello::decode(bytes.as_slice()).unwrap();
            hello.nonce[0] ^= 1;
            Act::Pass(Frame::Hello(hello.encode_to_vec()))
        }
        frame => Act::Pass(frame),
    };
    first_seconds(Encryption::Mls, [&["refused"], &["not_proved"]], swap).await;
}

#[tokio::test]
async fn a_key_agreement_that_was_changed_on_its_way_gives_no_chat() {
    for encryption in PROTECTING {
        let swap = |_: u32, frame| match frame {
            Frame::Agreement(mut message) => {
                let at = message.len() - 1;
                message[at] ^= 1;
                Act::Pass(Frame::Agreement(message))
            }
            frame => Act::Pass(frame),
        };
        first_seconds(encryption, [&["refused", "not_proved"], &["not_proved", "refused"]], swap).await;
    }
}

#[tokio::test]
async fn a_proof_is_worth_nothing_on_another_link() {
    for encryption in Encryption::ALL {
        let road = over_memory(encryption);
        let mut alice = Person::start("alice", road.listener, encryption, road.inviting);
        // Two TLS sessions, of somebody who ends both: what is exported from them differs.
        let mut elsewhere = Meddled::new(road.dialer, |_, frame| Act::Pass(frame));
        elsewhere.binding = Some([1; 32]);
        let bob = Person::start("bob", elsewhere, encryption, road.invited);
        assert_eq!(bob.fails().await, "refused", "{encryption}");
        assert_eq!(alice.turns_away().await, "not_proved", "{encryption}");
    }
}

#[tokio::test]
async fn two_sides_that_insist_on_different_encryptions_both_hear_so() {
    for (one, other) in
        [(Encryption::Mls, Encryption::Rsa), (Encryption::Rsa, Encryption::Mls), (Encryption::Pseudo, Encryption::Mls)]
    {
        let road = over_memory(one);
        let alice = Person::start("alice", road.listener, one, road.inviting);
        let bob = Person::start("bob", road.dialer, other, road.invited);
        bob.say("nothing of this goes out").await;
        assert_eq!([alice.fails().await, bob.fails().await], ["encryption_mismatch"; 2], "{one} and {other}");
    }
}

#[tokio::test]
async fn a_downgrade_on_the_way_is_an_error_on_both_sides() {
    for (asked, wanted) in [(Encryption::Mls, DirectEncryption::Pseudo), (Encryption::Rsa, DirectEncryption::Mls)] {
        let road = over_memory(asked);
        let alice = Person::start("alice", road.listener, asked, road.inviting);
        // The commitment is made to fit: who stands in the way knows the hello only later, so it holds the commitment back,
        // which the listener allows, and makes up a hello of its own.
        let mallory = subrosa_crypto::SigningKey::from_seed(&[9; 32]);
        let forged = DirectHello {
            version: 1,
            side: 1,
            key: mallory.public().to_vec(),
            nonce: vec![1; 32],
            encryption: wanted.into(),
            capabilities: 0,
        };
        let forged = forged.encode_to_vec();
        let downgrade = move |_: u32, frame| match frame {
            Frame::Commitment(_) => Act::Pass(Frame::Commitment(subrosa_crypto::sha256(&forged).to_vec())),
            Frame::Hello(_) => Act::Pass(Frame::Hello(forged.clone())),
            frame => Act::Pass(frame),
        };
        let bob = Person::start("bob", Meddled::new(road.dialer, downgrade), asked, road.invited);
        bob.say("nothing of this goes out").await;
        assert_eq!([alice.fails().await, bob.fails().await], ["encryption_mismatch"; 2], "{asked}");
    }
}

#[tokio::test]
async fn nobody_else_can_go_on_with_a_chat_that_broke() {
    let invitation = Invitation::generate();
    let ticket = ticket(&invitation, Encryption::Mls);
    let (listener, dialer) = memory::pair();
    let mut alice = Person::start("alice", listener, Encryption::Mls, Pairing::inviting(&invitation));
    let thief = dialer.clone();
    let invited = || Pairing::invited(&ticket).unwrap();
    let mut bob = Person::start("bob", dialer, Encryption::Mls, invited());
    bob.connected().await;
    bob.say("hello").await;
    assert_eq!(alice.hears().await, "hello");
    bob.vanish();
    alice.broken().await;
    // Mallory has the ticket, but not the key that bob showed.
    let mallory = Person::start("mallory", thief, Encryption::Mls, invited());
    mallory.wish(Wish::Verify).await;
    assert_eq!(mallory.fails().await, "busy");
    assert_eq!(alice.turns_away().await, "busy");
}

#[tokio::test]
async fn strangers_who_say_nothing_do_not_use_up_the_time_of_a_peer_who_is_away() {
    let (listener, dialer) = memory::pair();
    let timing = Timing { first: Duration::from_millis(100), give_up: Duration::from_secs(1), ..quick() };
    let mut alice = Person::start_with("alice", listener, Encryption::Rsa, Pairing::unknown(), None, timing);
    let mut strangers = dialer.clone();
    let thief = dialer.clone();
    let mut bob = Person::start("bob", dialer, Encryption::Rsa, Pairing::unknown());
    bob.connected().await;
    alice.connected().await;
    bob.vanish();
    alice.broken().await;
    let begun = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..15 {
        silent.push(strangers.link().await.unwrap());
    }
    for _ in 0..15 {
        assert_eq!(alice.turns_away().await, "silent");
    }
    assert!(begun.elapsed() > timing.give_up);
    let mallory = Person::start("mallory", thief, Encryption::Rsa, Pairing::unknown());
    assert_eq!(mallory.fails().await, "busy", "alice still waits for bob");
    drop(silent);
    // And not for ever.
    assert!(["truncated", "link_lost"].contains(&alice.fails().await));
}

#[tokio::test]
async fn who_looks_at_hellos_and_hangs_up_to_guess_at_the_words_is_slowed_down() {
    let (listener, mut mallory) = memory::pair();
    let mut alice = Person::start("alice", listener, Encryption::Mls, Pairing::unknown());
    let mut begun = Instant::now();
    for guess in 1..=5 {
        let mut link = mallory.link().await.unwrap();
        let commitment = DirectFrame { frame: Some(Frame::Commitment(vec![guess; 32])) };
        link.outbound.send(encode(&commitment)).await.unwrap();
        let hello = DirectFrame::decode(link.inbound.next().await.unwrap()).unwrap();
        assert!(matches!(hello.frame, Some(Frame::Hello(_))));
        if guess == 5 {
            assert!(begun.elapsed() >= Duration::from_secs(1), "the fifth guess waits");
        }
        begun = Instant::now();
        drop(link);
        alice.turns_away().await;
    }
}
