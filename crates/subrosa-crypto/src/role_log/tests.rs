use proptest::prelude::*;
use subrosa_wire::proto::role_log_entry::Event;
use subrosa_wire::proto::{HandOver, HandOverAcceptance, HandOverOffer, RoleLogEntry, RoleOrder};

use super::*;
use crate::fixtures::{Person, rng};
use crate::keys::SigningKey;

const NOW: Timestamp = Timestamp(1);

/// A server with its log, and people in it: `people[0]` is super admin.
struct World {
    server: SigningKey,
    log: RoleLog,
    people: Vec<Person>,
    entries: Vec<Signed>,
}

impl World {
    fn of(number: u64) -> Self {
        let server = SigningKey::generate(&mut rng(100));
        let mut world = Self { server, log: RoleLog::new(), people: Vec::new(), entries: Vec::new() };
        for seed in 0..number {
            let person = Person::new(seed, "somebody");
            let entry = world.log.next_account_created(person.id, &person.key.public(), NOW, &world.server);
            world.people.push(person);
            world.append(&entry).unwrap();
        }
        world
    }

    fn append(&mut self, entry: &Signed) -> Result<RoleEvent, RoleLogError> {
        let before = (self.log.position(), self.log.hash(), self.roles());
        let result = self.log.append(entry, &self.server.public());
        if result.is_ok() {
            self.entries.push(entry.clone());
        } else {
            assert_eq!((self.log.position(), self.log.hash(), self.roles()), before, "a refusal changes nothing");
        }
        result
    }

    fn roles(&self) -> Vec<(AccountId, Role)> {
        self.log.accounts().collect()
    }

    fn id(&self, person: usize) -> AccountId {
        self.people[person].id
    }

    fn order(&self, actor: usize, target: usize, role: Role) -> Signed {
        let server_key = self.server.public();
        self.log.order(&server_key, self.id(actor), self.id(target), role, NOW, &self.people[actor].key)
    }

    fn append_order(&mut self, order: Signed) -> Result<RoleEvent, RoleLogError> {
        let entry = self.log.next_role_order(order, NOW, &self.server);
        self.append(&entry)
    }

    fn set(&mut self, actor: usize, target: usize, role: Role) -> Result<RoleEvent, RoleLogError> {
        self.append_order(self.order(actor, target, role))
    }

    fn offer(&self, from: usize, to: usize) -> Signed {
        self.log.offer(&self.server.public(), self.id(from), self.id(to), NOW, &self.people[from].key)
    }

    fn accept(&self, offer: &Signed, to: usize) -> Signed {
        accept_offer(offer, self.id(to), NOW, &self.people[to].key)
    }

    fn hand_over(&mut self, offer: Signed, acceptance: Signed) -> Result<RoleEvent, RoleLogError> {
        let entry = self.log.next_hand_over(offer, acceptance, NOW, &self.server);
        self.append(&entry)
    }

    fn role(&self, person: usize) -> Role {
        self.log.role(self.id(person)).unwrap()
    }

    /// Appends the event as the server would sign it, whatever it says.
    fn append_event(&mut self, event: Option<Event>) -> Result<RoleEvent, RoleLogError> {
        let previous = self.log.previous();
        let entry = RoleLogEntry { position: self.log.position().0 + 1, previous, at: 0, event };
        let entry = statement::sign(&entry, &self.server);
        self.append(&entry)
    }
}

#[test]
fn the_first_account_is_super_admin_and_every_other_a_beginner() {
    let world = World::of(3);
    assert_eq!([0, 1, 2].map(|person| world.role(person)), [Role::SuperAdmin, Role::Beginner, Role::Beginner]);
    assert_eq!(world.log.super_admin(), Some(world.id(0)));
    assert_eq!(world.log.key(world.id(1)), Some(world.people[1].key.public()));
    assert_eq!(world.log.position(), RolePosition(3));
}

#[test]
fn a_server_that_creates_a_second_super_admin_or_admin_is_caught() {
    let mut world = World::of(1);
    let newcomer = Person::new(9, "mallory");
    let created = |role: u32| {
        let (account_id, account_key) = (newcomer.id.to_vec(), newcomer.key.public().to_vec());
        Some(Event::AccountCreated(subrosa_wire::proto::AccountCreated { account_id, account_key, role }))
    };
    for role in [Role::Advanced, Role::Admin, Role::SuperAdmin] {
        assert_eq!(world.append_event(created(role.code().into())), Err(RoleLogError::FirstRole));
    }
    for role in [0, 5, 257, u32::MAX] {
        assert_eq!(world.append_event(created(role)), Err(RoleLogError::Shape(BadField("role"))));
    }
    let mut empty = World::of(0);
    assert_eq!(empty.append_event(created(1)), Err(RoleLogError::FirstRole));
}

#[test]
fn an_account_is_created_once() {
    let mut world = World::of(2);
    let entry = world.log.next_account_created(world.id(1), &world.people[0].key.public(), NOW, &world.server);
    assert_eq!(world.append(&entry), Err(RoleLogError::Repeated(world.id(1))));
}

#[test]
fn roles_change_as_row_a4_says_and_the_log_remembers() {
    let mut world = World::of(4);
    world.set(0, 1, Role::Admin).unwrap();
    let event = world.set(1, 2, Role::Advanced).unwrap();
    let (actor, target) = (world.id(1), world.id(2));
    assert_eq!(event.change, RoleChange::RoleSet { actor, target, from: Role::Beginner, to: Role::Advanced });
    assert_eq!(world.log.role_at(world.id(1), RolePosition(4)), Some(Role::Beginner));
    assert_eq!(world.log.role_at(world.id(1), RolePosition(5)), Some(Role::Admin));
    assert_eq!(world.log.role_at(world.id(1), RolePosition(1)), None);
    assert_eq!(world.log.role_at(world.id(1), RolePosition(99)), None);

    let refused = |reason| Err(RoleLogError::Refused(reason));
    assert_eq!(world.set(1, 0, Role::Beginner), refused(RoleRefusal::SuperAdminIsFixed));
    assert_eq!(world.set(0, 2, Role::SuperAdmin), refused(RoleRefusal::OnlyByHandOver));
    assert_eq!(world.set(2, 3, Role::Advanced), refused(RoleRefusal::CannotGive));
    assert_eq!(world.set(3, 2, Role::Beginner), refused(RoleRefusal::CannotGive));
    assert_eq!(world.set(1, 3, Role::Admin), refused(RoleRefusal::CannotGive));
    assert_eq!(world.set(0, 1, Role::Admin), refused(RoleRefusal::Unchanged));
    assert_eq!(world.set(1, 1, Role::Beginner), refused(RoleRefusal::OwnRole));
    assert_eq!(world.set(0, 0, Role::Beginner), refused(RoleRefusal::OwnRole));
    world.set(0, 3, Role::Admin).unwrap();
    assert_eq!(world.set(1, 3, Role::Beginner), refused(RoleRefusal::NotBelowActor));
}

#[test]
fn the_server_cannot_promote_anybody_by_itself() {
    let mut world = World::of(2);
    let forged = world.log.order(&world.server.public(), world.id(0), world.id(1), Role::Admin, NOW, &world.server);
    assert_eq!(world.append_order(forged), Err(RoleLogError::Inner(StatementError::BadSignature)));
    // Nor a person for somebody else.
    let key = &world.people[1].key;
    let forged = world.log.order(&world.server.public(), world.id(0), world.id(1), Role::Admin, NOW, key);
    assert_eq!(world.append_order(forged), Err(RoleLogError::Inner(StatementError::BadSignature)));
}

#[test]
fn an_order_is_used_once() {
    let mut world = World::of(2);
    let order = world.order(0, 1, Role::Admin);
    world.append_order(order.clone()).unwrap();
    world.set(0, 1, Role::Beginner).unwrap();
    assert_eq!(world.append_order(order), Err(RoleLogError::Stale));
    assert_eq!(world.role(1), Role::Beginner);
}

#[test]
fn an_order_that_was_kept_back_is_stale_when_a_role_or_key_changed() {
    let mut world = World::of(4);
    world.set(0, 1, Role::Admin).unwrap();
    let (by_admin, unrelated) = (world.order(1, 2, Role::Advanced), world.order(0, 3, Role::Admin));
    world.set(0, 1, Role::Advanced).unwrap();
    world.set(0, 1, Role::Admin).unwrap();
    // The actor is admin again, but was not in between.
    assert_eq!(world.append_order(by_admin), Err(RoleLogError::Stale));
    // Nothing happened to these two.
    world.append_order(unrelated).unwrap();

    let order = world.order(0, 2, Role::Advanced);
    let new_key = SigningKey::generate(&mut rng(50)).public();
    let reset = world.log.next_key_reset(world.id(2), &new_key, NOW, &world.server);
    world.append(&reset).unwrap();
    assert_eq!(world.append_order(order), Err(RoleLogError::Stale));
}

#[test]
fn an_order_that_claims_to_have_seen_the_future_is_stale() {
    let mut world = World::of(2);
    let mut content = statement::decode::<RoleOrder>(&world.order(0, 1, Role::Admin)).unwrap();
    content.seen_position = u64::MAX;
    let order = statement::sign(&content, &world.people[0].key);
    assert_eq!(world.append_order(order), Err(RoleLogError::Stale));
}

#[test]
fn an_order_for_another_server_or_account_is_refused() {
    let mut world = World::of(2);
    let there = SigningKey::generate(&mut rng(77)).public();
    let order = world.log.order(&there, world.id(0), world.id(1), Role::Admin, NOW, &world.people[0].key);
    assert_eq!(world.append_order(order), Err(RoleLogError::OtherServer));
    let stranger = Person::new(88, "stranger");
    let server_key = world.server.public();
    let order = world.log.order(&server_key, world.id(0), stranger.id, Role::Admin, NOW, &world.people[0].key);
    assert_eq!(world.append_order(order), Err(RoleLogError::UnknownAccount(stranger.id)));
    let order = world.log.order(&server_key, stranger.id, world.id(1), Role::Admin, NOW, &stranger.key);
    assert_eq!(world.append_order(order), Err(RoleLogError::UnknownAccount(stranger.id)));
}

#[test]
fn the_super_admin_role_is_handed_over_by_both_sides() {
    let mut world = World::of(3);
    let offer = world.offer(0, 1);
    let acceptance = world.accept(&offer, 1);
    let event = world.hand_over(offer.clone(), acceptance.clone()).unwrap();
    assert_eq!(event.change, RoleChange::HandedOver { from: world.id(0), to: world.id(1) });
    assert_eq!([0, 1, 2].map(|person| world.role(person)), [Role::Admin, Role::SuperAdmin, Role::Beginner]);
    assert_eq!(world.log.super_admin(), Some(world.id(1)));
    // Back again, and then the old papers once more.
    let back = world.offer(1, 0);
    let accepted = world.accept(&back, 0);
    world.hand_over(back, accepted).unwrap();
    assert_eq!(world.hand_over(offer, acceptance), Err(RoleLogError::Stale));
}

#[test]
fn a_hand_over_that_one_side_did_not_sign_is_refused() {
    let mut world = World::of(3);
    let offer = world.offer(0, 1);
    let bad_signature = Err(RoleLogError::Inner(StatementError::BadSignature));
    // Accepted by the server, and by a third person.
    let forged = accept_offer(&offer, world.id(1), NOW, &world.server);
    assert_eq!(world.hand_over(offer.clone(), forged), bad_signature);
    assert_eq!(world.hand_over(offer.clone(), world.accept(&offer, 2)), bad_signature);
    // Offered by the server.
    let forged = world.log.offer(&world.server.public(), world.id(0), world.id(1), NOW, &world.server);
    let acceptance = world.accept(&forged, 1);
    assert_eq!(world.hand_over(forged, acceptance), bad_signature);
    // Offered by somebody who has nothing to hand over.
    let offer = world.offer(1, 2);
    let acceptance = world.accept(&offer, 2);
    assert_eq!(world.hand_over(offer, acceptance), Err(RoleLogError::Refused(RoleRefusal::OnlyByHandOver)));
    // To oneself.
    let offer = world.offer(0, 0);
    let acceptance = world.accept(&offer, 0);
    assert_eq!(world.hand_over(offer, acceptance), Err(RoleLogError::Refused(RoleRefusal::OwnRole)));
}

#[test]
fn an_acceptance_fits_its_own_offer_only() {
    let mut world = World::of(2);
    let offer = world.offer(0, 1);
    let mut other = statement::decode::<HandOverOffer>(&offer).unwrap();
    other.at += 1;
    let other = statement::sign(&other, &world.people[0].key);
    let acceptance = world.accept(&other, 1);
    assert_eq!(world.hand_over(offer.clone(), acceptance.clone()), Err(RoleLogError::OtherOffer));
    let mut elsewhere = statement::decode::<HandOverAcceptance>(&world.accept(&offer, 1)).unwrap();
    elsewhere.to = vec![4; 16];
    let elsewhere = statement::sign(&elsewhere, &world.people[1].key);
    assert_eq!(world.hand_over(offer.clone(), elsewhere), Err(RoleLogError::OtherOffer));
    for (offer, acceptance, missing) in [(None, Some(acceptance), "offer"), (Some(offer), None, "acceptance")] {
        let event = Event::HandOver(HandOver { offer, acceptance });
        assert_eq!(world.append_event(Some(event)), Err(RoleLogError::Shape(BadField(missing))));
    }
    assert_eq!(world.append_event(None), Err(RoleLogError::Shape(BadField("event"))));
}

#[test]
fn a_new_key_signs_from_its_reset_on_and_the_old_one_no_more() {
    let mut world = World::of(2);
    let new_key = SigningKey::generate(&mut rng(50));
    let old_order = world.order(0, 1, Role::Admin);
    let reset = world.log.next_key_reset(world.id(0), &new_key.public(), NOW, &world.server);
    world.append(&reset).unwrap();
    assert_eq!(world.role(0), Role::SuperAdmin);
    assert_eq!(world.log.key(world.id(0)), Some(new_key.public()));
    assert_eq!(world.log.key_at(world.id(0), RolePosition(2)), Some(world.people[0].key.public()));
    assert_eq!(world.append_order(old_order), Err(RoleLogError::Inner(StatementError::BadSignature)));
    let order = world.log.order(&world.server.public(), world.id(0), world.id(1), Role::Admin, NOW, &new_key);
    world.append_order(order).unwrap();

    // Not back to a key that was given up, and not for somebody unknown.
    let old_key = world.people[0].key.public();
    for key in [new_key.public(), old_key] {
        let reset = world.log.next_key_reset(world.id(0), &key, NOW, &world.server);
        assert_eq!(world.append(&reset), Err(RoleLogError::SameKey));
    }
    let stranger = AccountId::from_bytes([0xEE; 16]);
    let reset = world.log.next_key_reset(stranger, &old_key, NOW, &world.server);
    assert_eq!(world.append(&reset), Err(RoleLogError::UnknownAccount(stranger)));
}

#[test]
fn an_entry_out_of_place_or_of_another_log_is_refused() {
    let mut world = World::of(3);
    let repeated = world.entries[2].clone();
    assert_eq!(world.append(&repeated), Err(RoleLogError::Position { expected: 4, found: 3 }));
    let mut content =
        statement::decode::<RoleLogEntry>(&world.log.next_role_order(Signed::default(), NOW, &world.server)).unwrap();
    content.position = 5;
    let entry = statement::sign(&content, &world.server);
    assert_eq!(world.append(&entry), Err(RoleLogError::Position { expected: 4, found: 5 }));
    content.position = 4;
    content.previous[0] ^= 1;
    let entry = statement::sign(&content, &world.server);
    assert_eq!(world.append(&entry), Err(RoleLogError::Previous));
    let newcomer = Person::new(9, "mallory");
    let entry = world.log.next_account_created(newcomer.id, &newcomer.key.public(), NOW, &world.people[0].key);
    assert_eq!(world.append(&entry), Err(RoleLogError::Entry(StatementError::BadSignature)));
}

#[test]
fn two_logs_of_a_forking_server_do_not_join() {
    let mut here = World::of(2);
    let mut there = World::of(2);
    here.set(0, 1, Role::Advanced).unwrap();
    there.set(0, 1, Role::Admin).unwrap();
    assert_eq!(here.log.hash_at(RolePosition(2)), there.log.hash_at(RolePosition(2)));
    assert_ne!(here.log.hash_at(RolePosition(3)), there.log.hash_at(RolePosition(3)));
    let newcomer = Person::new(9, "carol");
    let entry = there.log.next_account_created(newcomer.id, &newcomer.key.public(), NOW, &there.server);
    assert_eq!(here.append(&entry), Err(RoleLogError::Previous));
    assert_eq!(here.log.hash_at(RolePosition(0)), None);
    assert_eq!(here.log.hash_at(RolePosition(4)), None);
}

#[test]
fn what_was_checked_for_an_older_state_is_not_applied() {
    let mut world = World::of(3);
    let order = world.order(0, 1, Role::Admin);
    let entry = world.log.next_role_order(order, NOW, &world.server);
    let checked = world.log.check(&entry, &world.server.public()).unwrap();
    assert_eq!(world.role(1), Role::Beginner);
    world.set(0, 1, Role::Advanced).unwrap();
    assert!(matches!(world.log.apply(checked), Err(RoleLogError::Position { .. })));
    assert_eq!(world.role(1), Role::Advanced);
}

#[test]
fn a_log_from_ones_own_store_leads_to_the_same_state() {
    let mut world = World::of(3);
    world.set(0, 1, Role::Admin).unwrap();
    let offer = world.offer(0, 2);
    let acceptance = world.accept(&offer, 2);
    world.hand_over(offer, acceptance).unwrap();
    let (mut trusted, mut verified) = (RoleLog::new(), RoleLog::new());
    for entry in &world.entries {
        let event = trusted.append_trusted(entry).unwrap();
        assert_eq!(verified.append(entry, &world.server.public()), Ok(event));
    }
    for log in [&trusted, &verified] {
        assert_eq!(log.hash(), world.log.hash());
        assert_eq!(log.accounts().collect::<Vec<_>>(), world.roles());
        assert_eq!(log.super_admin(), Some(world.id(2)));
    }
    assert!(trusted.append_trusted(&world.entries[0]).is_err());
    assert!(RoleLog::new().append_trusted(&Signed { statement: vec![0xFF; 9], signature: vec![] }).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_people_try_there_is_one_super_admin_and_nobody_rises_alone(
        steps in proptest::collection::vec((0..4_usize, 0..4_usize, 0..6_usize), 1..24)
    ) {
        let mut world = World::of(4);
        for (actor, target, what) in steps {
            let before = world.role(actor);
            match what {
                0..4 => {
                    let result = world.set(actor, target, Role::ALL[what]);
                    prop_assert!(world.role(actor) <= before);
                    if let Ok(event) = result {
                        prop_assert!(before >= Role::Admin, "{event:?}");
                    }
                }
                _ => {
                    let offer = world.offer(actor, target);
                    let acceptance = world.accept(&offer, target);
                    let result = world.hand_over(offer, acceptance);
                    prop_assert_eq!(result.is_ok(), before == Role::SuperAdmin && actor != target);
                }
            }
            let admins: Vec<_> = world.log.accounts().filter(|(_, role)| *role == Role::SuperAdmin).collect();
            prop_assert_eq!(admins.len(), 1);
            prop_assert_eq!(world.log.super_admin(), Some(admins[0].0));
        }
    }

    #[test]
    fn bytes_of_others_never_panic(statement in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut world = World::of(2);
        let signature = world.server.sign(crate::Label::RoleLog, &statement).to_vec();
        let _refused = world.append(&Signed { statement: statement.clone(), signature });
        let order = Signed { statement, signature: vec![0; 64] };
        prop_assert!(world.append_order(order).is_err());
    }
}
