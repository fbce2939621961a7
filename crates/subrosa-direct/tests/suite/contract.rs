//! What a chat does over every communicator with every encryptor: one function, run for each cell of the table.

use std::net::Ipv4Addr;

use subrosa_direct::Way;
use subrosa_direct::{
    Communicator, Encryption, Event, FileOutcome, Invitation, Pairing, Ticket, Wish, memory, quic, tcp,
};

use crate::meddler::{Act, Meddled};
use crate::person::Person;

/// Two communicators that reach each other, and the pairings that go with them.
pub struct Road {
    pub listener: Box<dyn Communicator>,
    pub dialer: Box<dyn Communicator>,
    pub inviting: Pairing,
    pub invited: Pairing,
}

fn road(
    invitation: &Invitation,
    ticket: &Ticket,
    listener: impl Communicator + 'static,
    dialer: impl Communicator + 'static,
    invited: Pairing,
) -> Road {
    // Through its text, as people pass it on.
    assert_eq!(ticket.to_string().parse().as_ref(), Ok(ticket));
    let inviting = Pairing::inviting(invitation);
    Road { listener: Box::new(listener), dialer: Box::new(dialer), inviting, invited }
}

pub fn over_memory(encryption: Encryption) -> Road {
    let invitation = Invitation::generate();
    let ticket = invitation.ticket(encryption, Way::Tcp(vec!["memory:1".into()]));
    let (listener, dialer) = memory::pair();
    road(&invitation, &ticket, listener, dialer, Pairing::invited(&ticket).unwrap())
}

async fn over_tcp(encryption: Encryption) -> Road {
    let invitation = Invitation::generate();
    let listener = tcp::TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let ticket = invitation.ticket(encryption, Way::Tcp(listener.addresses()));
    let dialer = tcp::TcpDialer::to(&listener.addresses()).unwrap();
    road(&invitation, &ticket, listener, dialer, Pairing::invited(&ticket).unwrap())
}

async fn over_quic(encryption: Encryption) -> Road {
    let invitation = Invitation::generate();
    let (listener, way) = quic::listen(&invitation, None).await.unwrap();
    let ticket = invitation.ticket(encryption, way);
    let invited = Pairing::invited(&ticket).unwrap();
    let dialer = quic::dial(&invited, &ticket).await.unwrap();
    road(&invitation, &ticket, listener, dialer, invited)
}

/// 1. Both sides are vouched for by the ticket and see the same words. 2. What each says arrives once, in order, whatever
///    its size, and is known to be delivered. 3. A link that is cut in the middle is made again, and nothing is lost or
///    shown twice. 4. A file arrives whole. 5. When one leaves, the other knows, and both end in order.
async fn contract(road: Road, encryption: Encryption) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let cut = |link: u32, frame| match frame {
        subrosa_wire::proto::direct_frame::Frame::Record(record) if link == 1 && record.number == 120 => Act::Cut,
        frame => Act::Pass(frame),
    };
    let dialer = Meddled::new(road.dialer, cut);
    let place = Some(folders[0].path().to_owned());
    let mut alice = Person::start_with_files("alice", road.listener, encryption, road.inviting, place);
    let mut bob = Person::start("bob", dialer, encryption, road.invited);

    let (at_alice, at_bob) = (alice.connected().await, bob.connected().await);
    assert_eq!(at_alice, at_bob);
    assert!(at_alice.1, "the ticket vouches");

    let large = "ж".repeat(32 * 1024);
    let texts: Vec<String> = (0..200).map(|number| format!("text {number}")).chain([String::new(), large]).collect();
    for text in &texts {
        alice.say(text).await;
        bob.say(text).await;
    }
    for text in &texts {
        assert_eq!(alice.hears().await, *text);
        assert_eq!(bob.hears().await, *text);
    }

    let content: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    let path = folders[1].path().join("photo of us.jpg");
    std::fs::write(&path, &content).unwrap();
    bob.wish(Wish::Send(path)).await;
    let ended = |event: &Event| match event {
        Event::FileEnded { outcome, path, .. } => Some((*outcome, path.clone())),
        _ => None,
    };
    let (outcome, place) = alice.expect("the end of the file", ended).await;
    assert_eq!(outcome, FileOutcome::Done);
    assert_eq!(bob.expect("the end of the file", ended).await.0, FileOutcome::Done);
    assert_eq!(place, Some(folders[0].path().join("photo of us.jpg")));
    assert_eq!(std::fs::read(place.unwrap()).unwrap(), content);

    bob.leave().await;
    let (outcome, rest) = alice.end().await;
    outcome.unwrap();
    assert!(matches!(rest.last(), Some(Event::Left)), "{rest:?}");
    assert!(!rest.iter().any(|event| matches!(event, Event::Message { .. })), "shown twice: {rest:?}");
}

#[tokio::test]
async fn a_chat_keeps_its_contract_in_memory_with_each_encryption() {
    for encryption in Encryption::ALL {
        contract(over_memory(encryption), encryption).await;
    }
}

#[tokio::test]
async fn a_chat_keeps_its_contract_over_tcp_with_each_encryption() {
    for encryption in Encryption::ALL {
        contract(over_tcp(encryption).await, encryption).await;
    }
}

#[tokio::test]
async fn a_chat_keeps_its_contract_over_quic_with_each_encryption() {
    for encryption in Encryption::ALL {
        contract(over_quic(encryption).await, encryption).await;
    }
}

#[tokio::test]
async fn a_dialer_without_more_to_say_leaves_once_all_of_it_is_delivered() {
    let road = over_memory(Encryption::Mls);
    let mut alice = Person::start("alice", road.listener, Encryption::Mls, road.inviting);
    let mut bob = Person::start("bob", road.dialer, Encryption::Mls, road.invited);
    bob.say("the last word").await;
    bob.end_input();
    let (outcome, events) = bob.end().await;
    outcome.unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::Delivered { number: 1 })), "{events:?}");
    assert_eq!(alice.hears().await, "the last word");
    alice.end().await.0.unwrap();
}

#[tokio::test]
async fn who_leaves_hears_what_was_not_delivered() {
    let road = over_memory(Encryption::Mls);
    let alice = Person::start("alice", road.listener, Encryption::Mls, road.inviting);
    alice.say("is anybody there?").await;
    alice.wish(Wish::Leave).await;
    assert_eq!(alice.fails().await, "undelivered");
}
