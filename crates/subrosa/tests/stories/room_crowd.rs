//! Two hundred guests in one room: they come within half a minute, many leave when they like, five talk. Who stays sees the
//! same in the same order.
//!
//! The server is the real binary; the guests are the real client behind `subrosa room`, all in this process, over real
//! sockets. The arrivals and departures are on a clock, because that is what the story is about; nothing else is waited for
//! by time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use subrosa_client::room::{Notice, Room, RoomEvent, RoomName, RoomNotices, RoomOptions};
use subrosa_wire::ServerLink;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::Server;

const GUESTS: u64 = 200;
const TALKERS: u64 = 5;
/// Every so many-th of the others leaves again.
const LEAVERS: u64 = 2;
const ARRIVALS: Duration = Duration::from_secs(28);
/// Long beyond what it takes: a story that hangs ends.
const AT_MOST: Duration = Duration::from_secs(280);

/// What a guest saw, by its place in the order.
type Seen = BTreeMap<u64, String>;

/// How a guest's stay went.
struct Stay {
    guest: u64,
    stayed: bool,
    began: u64,
    seen: Seen,
    /// From the first packet to the shared key.
    entering: Duration,
}

/// A number that looks random and is the same each time.
fn chance(of: u64, salt: u64, below: u64) -> u64 {
    let mut mixed = (of << 8 | salt).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % below
}

fn leaves(guest: u64) -> bool {
    guest >= TALKERS && guest.is_multiple_of(LEAVERS)
}

#[test]
fn two_hundred_guests_come_and_go_and_who_stays_sees_the_same_in_the_same_order() {
    let server = Server::start();
    let link: ServerLink = server.link().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let began = Instant::now();
    let stays = runtime.block_on(async {
        let (arrived, all_arrived) = watch::channel(0_u64);
        let mut guests = JoinSet::new();
        for guest in 0..GUESTS {
            guests.spawn(stay(guest, link.clone(), arrived.clone(), all_arrived.clone()));
        }
        let all = async {
            let mut stays = Vec::new();
            while let Some(stay) = guests.join_next().await {
                stays.push(stay.expect("a guest that does not panic"));
            }
            stays
        };
        tokio::time::timeout(AT_MOST, all).await.expect("all of it in time")
    });
    runtime.shutdown_background();

    let first = stays.iter().find(|stay| stay.guest == 0).expect("the first guest");
    let stayed: Vec<_> = stays.iter().filter(|stay| stay.stayed).collect();
    assert_eq!(stayed.len() as u64, GUESTS - (TALKERS..GUESTS).filter(|guest| leaves(*guest)).count() as u64);
    for stay in &stayed {
        let there: Seen =
            first.seen.range(stay.began.max(first.began) + 1..).map(|(at, what)| (*at, what.clone())).collect();
        let here: Seen =
            stay.seen.range(stay.began.max(first.began) + 1..).map(|(at, what)| (*at, what.clone())).collect();
        let differs = here.iter().zip(&there).find(|(here, there)| here != there);
        assert!(here == there, "guest {} saw something else than guest 0: {differs:?}", stay.guest);
    }
    let said = first.seen.values().filter(|what| what.contains(": ")).count();
    assert!(said as u64 > 3 * TALKERS, "five talked, and {said} messages were seen");

    let mut entering: Vec<_> = stays.iter().map(|stay| stay.entering).collect();
    entering.sort_unstable();
    println!(
        "{GUESTS} guests, {} stayed, {said} messages; entering took {:?} (median), {:?} (longest); all of it {:?}",
        stayed.len(),
        entering[entering.len() / 2],
        entering[entering.len() - 1],
        began.elapsed()
    );
}

/// One guest, from its arrival to its end.
async fn stay(
    guest: u64,
    server: ServerLink,
    arrived: watch::Sender<u64>,
    mut all_arrived: watch::Receiver<u64>,
) -> Stay {
    // No waiting for an event: arrivals spread over time are the load itself.
    let span = ARRIVALS.as_millis() as u64;
    sleep(Duration::from_millis(if guest < TALKERS { guest * 100 } else { 1000 + chance(guest, 1, span - 1000) }))
        .await;
    let began = Instant::now();
    let name = RoomName::Own(format!("guest{guest}").parse().expect("a name"));
    let (mut room, mut notices) = Room::enter(RoomOptions { server, room: "lobby".parse().expect("a room"), name });
    let mut stay = Stay { guest, stayed: !leaves(guest), began: 0, seen: Seen::new(), entering: Duration::ZERO };
    while stay.began == 0 {
        stay.take(notices.next().await.expect("a notice"));
    }
    stay.entering = began.elapsed();
    arrived.send_modify(|count| *count += 1);
    if !stay.stayed {
        let until = Instant::now() + Duration::from_millis(500 + chance(guest, 2, 8_000));
        while let Ok(notice) = tokio::time::timeout_at(until.into(), notices.next()).await {
            stay.take(notice.expect("a notice"));
        }
        room.leave().await;
        return stay;
    }
    if guest < TALKERS {
        talk(guest, &mut room, &mut notices, &mut stay, &mut all_arrived).await;
    }
    // Everybody's last word ends it.
    while stay.seen.values().filter(|what| what.ends_with("goodbye")).count() as u64 != TALKERS {
        stay.take(notices.next().await.expect("a notice"));
    }
    // Nobody leaves before all have seen it all: a departure would be seen by some and not by others.
    arrived.send_modify(|count| *count += 1);
    let everybody = GUESTS + (0..GUESTS).filter(|guest| !leaves(*guest)).count() as u64;
    let _gone = all_arrived.wait_for(|count| *count == everybody).await;
    stay
}

/// Says something about every second until all have arrived, and then goodbye.
async fn talk(
    guest: u64,
    room: &mut Room,
    notices: &mut RoomNotices,
    stay: &mut Stay,
    all_arrived: &mut watch::Receiver<u64>,
) {
    let mut texts = BTreeMap::new();
    let mut turn = 0;
    loop {
        let over = *all_arrived.borrow_and_update() >= GUESTS;
        let text = if over { "goodbye".to_owned() } else { format!("word {turn}") };
        let number = room.say(text.clone()).await.expect("the room is there");
        texts.insert(number, format!("guest{guest}: {text}"));
        let next = Instant::now() + Duration::from_millis(800 + chance(guest, 100 + turn, 400));
        turn += 1;
        loop {
            let notice = match tokio::time::timeout_at(next.into(), notices.next()).await {
                Ok(notice) => notice.expect("a notice"),
                // Its turn to talk again, unless the last word is still on its way.
                Err(_) if texts.is_empty() || !over => break,
                Err(_) => notices.next().await.expect("a notice"),
            };
            if let Notice::Event(RoomEvent::Sent { number, sequence, .. }) = &notice
                && let Some(text) = texts.remove(number)
            {
                stay.seen.insert(*sequence, text);
            }
            stay.take(notice);
            if over && texts.is_empty() {
                return;
            }
        }
    }
}

impl Stay {
    fn take(&mut self, notice: Notice) {
        let guest = self.guest;
        match notice {
            Notice::Event(RoomEvent::Inside { sequence, .. }) => self.began = sequence,
            Notice::Event(RoomEvent::Joined { guest, sequence, .. }) => self.note(sequence, format!("{guest} came")),
            Notice::Event(RoomEvent::Left { guest, sequence, .. }) => self.note(sequence, format!("{guest} left")),
            Notice::Event(RoomEvent::Message { from, text, sequence, .. }) => {
                self.note(sequence, format!("{from}: {text}"))
            }
            Notice::Event(RoomEvent::Admitted { .. } | RoomEvent::Sent { .. }) => {}
            other => panic!("guest {guest}: {other:?}"),
        }
    }

    /// Several may leave with one commit.
    fn note(&mut self, sequence: u64, what: String) {
        let at = self.seen.entry(sequence).or_default();
        if !at.is_empty() {
            at.push_str(", ");
        }
        at.push_str(&what);
    }
}
