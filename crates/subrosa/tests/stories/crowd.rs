//! Four people talk at the same time, and all of them end with the same conversation.

use std::thread;

use crate::harness::{Profile, Server};

const EACH: usize = 50;

#[test]
fn two_hundred_messages_of_four_people_at_once_are_the_same_for_all() {
    let server = Server::start();
    let people: [Profile; 4] = server.people(["alice", "bob", "carol", "dave"]);
    people[0].ok(&["group", "create", "market", "@bob", "@carol", "@dave"]);
    for friend in &people[1..] {
        friend.ok(&["accept", "#market"]);
    }
    thread::scope(|scope| {
        for person in &people {
            scope.spawn(|| {
                let lines: String =
                    (0..EACH).map(|number| format!("{} offers number {number}\n", person.name())).collect();
                person.run_with(&["chat", "#market"], &lines).succeeded();
            });
        }
    });

    let rows = people.each_ref().map(|person| person.json(&["read", "#market", "--all"]));
    let seen = rows.each_ref().map(|rows| {
        rows.iter().map(|row| (row["id"].clone(), row["from"].clone(), row["text"].clone())).collect::<Vec<_>>()
    });
    assert_eq!(seen[0].len(), people.len() * EACH);
    for other in &seen[1..] {
        assert_eq!(*other, seen[0]);
    }
    for person in &people {
        let own: Vec<_> = seen[0]
            .iter()
            .filter(|(_, from, _)| from == person.name())
            .filter_map(|(_, _, text)| text.as_str())
            .collect();
        let said: Vec<_> = (0..EACH).map(|number| format!("{} offers number {number}", person.name())).collect();
        assert_eq!(own, said, "everybody's words in the order in which they were said");
    }
}
