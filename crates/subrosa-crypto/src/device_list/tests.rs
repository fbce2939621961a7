use super::*;
use crate::fixtures::Person;

fn begun(person: &Person) -> DeviceList {
    let first = DeviceList::first(person.certificate(1, "first"), Timestamp(1), &person.key).unwrap();
    DeviceList::verify(&[first], person.id, &person.key.public()).unwrap()
}

fn add(list: &mut DeviceList, person: &Person, number: u8) -> Result<DeviceChange, DeviceListError> {
    let entry = list.next_add(person.certificate(number, "more"), Timestamp(2), &person.key);
    list.append(&entry)
}

fn remove(list: &mut DeviceList, person: &Person, number: u8) -> Result<DeviceChange, DeviceListError> {
    let entry = list.next_remove(id(number), Timestamp(3), &person.key);
    list.append(&entry)
}

const fn id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

/// Changes one field of the next entry and signs it again.
fn refused(change: impl FnOnce(&mut DeviceListEntry)) -> DeviceListError {
    let alice = Person::new(1, "alice");
    let mut list = begun(&alice);
    let entry = list.next_add(alice.certificate(2, "more"), Timestamp(2), &alice.key);
    let mut content = statement::decode::<DeviceListEntry>(&entry).unwrap();
    change(&mut content);
    let before = list.head_hash();
    let error = list.append(&statement::sign(&content, &alice.key)).unwrap_err();
    assert_eq!((list.len(), list.head_hash(), list.active().count()), (1, before, 1));
    error
}

#[test]
fn devices_come_and_go() {
    let alice = Person::new(1, "alice");
    let mut list = begun(&alice);
    assert!(matches!(add(&mut list, &alice, 2), Ok(DeviceChange::Added(device)) if device.id == id(2)));
    assert_eq!(remove(&mut list, &alice, 1), Ok(DeviceChange::Removed(id(1))));
    assert_eq!(list.active().map(|device| device.id).collect::<Vec<_>>(), [id(2)]);
    assert!(list.contains(id(2)) && !list.contains(id(1)));
    assert_eq!(list.certificate(id(2)), Some(&alice.certificate(2, "more")));
    let again = DeviceList::verify(list.entries(), alice.id, &alice.key.public()).unwrap();
    assert_eq!((again.len(), again.head_hash()), (3, list.head_hash()));
}

#[test]
fn a_removed_device_does_not_come_back_under_its_id_or_its_key() {
    let alice = Person::new(1, "alice");
    let mut list = begun(&alice);
    add(&mut list, &alice, 2).unwrap();
    remove(&mut list, &alice, 2).unwrap();
    assert_eq!(add(&mut list, &alice, 2), Err(DeviceListError::Repeated));
    let same_key = SigningKey::from_seed(&[2; 32]).public();
    let name = "other".parse().unwrap();
    let certificate = crate::device::issue(alice.id, id(77), &same_key, &name, Timestamp(9), &alice.key);
    let entry = list.next_add(certificate, Timestamp(9), &alice.key);
    assert_eq!(list.append(&entry), Err(DeviceListError::Repeated));
    assert_eq!(remove(&mut list, &alice, 2), Err(DeviceListError::NotActive));
    assert_eq!(remove(&mut list, &alice, 9), Err(DeviceListError::NotActive));
}

#[test]
fn a_device_that_the_server_invents_is_refused() {
    let (alice, server) = (Person::new(1, "alice"), Person::new(66, "server"));
    let mut list = begun(&alice);
    // Signed by somebody else.
    let entry = list.next_add(alice.certificate(2, "ghost"), Timestamp(2), &server.key);
    assert_eq!(list.append(&entry), Err(DeviceListError::Statement(StatementError::BadSignature)));
    // A certificate by somebody else, in an entry that the account was made to sign.
    let entry = list.next_add(server.certificate(2, "ghost"), Timestamp(2), &alice.key);
    assert_eq!(list.append(&entry), Err(DeviceListError::Certificate));
    assert_eq!(list.len(), 1);
}

#[test]
fn an_entry_that_does_not_continue_the_chain_is_refused() {
    assert_eq!(refused(|entry| entry.index = 0), DeviceListError::Index { expected: 1, found: 0 });
    assert_eq!(refused(|entry| entry.index = 2), DeviceListError::Index { expected: 1, found: 2 });
    assert_eq!(refused(|entry| entry.previous[0] ^= 1), DeviceListError::Previous);
    assert_eq!(refused(|entry| entry.previous.clear()), DeviceListError::Previous);
    assert_eq!(refused(|entry| entry.account_id = vec![9; 16]), DeviceListError::OtherAccount);
    assert_eq!(refused(|entry| entry.change = None), DeviceListError::Shape(BadField("change")));
    assert_eq!(
        refused(|entry| entry.change = Some(Change::Remove(vec![1]))),
        DeviceListError::Shape(BadField("remove"))
    );
}

#[test]
fn leaving_out_or_swapping_entries_shows() {
    let alice = Person::new(1, "alice");
    let mut list = begun(&alice);
    add(&mut list, &alice, 2).unwrap();
    add(&mut list, &alice, 3).unwrap();
    let entries = list.entries();
    let key = alice.key.public();
    for shown in [vec![0, 2], vec![1, 2], vec![0, 2, 1], vec![0, 0], vec![2]] {
        let shown: Vec<_> = shown.into_iter().map(|index: usize| entries[index].clone()).collect();
        assert!(DeviceList::verify(&shown, alice.id, &key).is_err());
    }
    assert_eq!(DeviceList::verify(&[], alice.id, &key).unwrap_err(), DeviceListError::Empty);
}

#[test]
fn a_list_that_was_cut_or_forked_does_not_extend_the_known_one() {
    let alice = Person::new(1, "alice");
    let short = begun(&alice);
    let (mut long, mut fork) = (short.clone(), short.clone());
    add(&mut long, &alice, 2).unwrap();
    add(&mut fork, &alice, 3).unwrap();
    assert!(long.extends(&short) && long.extends(&long));
    assert!(!short.extends(&long));
    assert!(!fork.extends(&long) && !long.extends(&fork));
    assert!(!long.extends(&begun(&Person::new(2, "bob"))));
}

#[test]
fn there_are_at_most_eight_active_devices_and_256_entries() {
    let alice = Person::new(1, "alice");
    let mut list = begun(&alice);
    for number in 2..=8 {
        add(&mut list, &alice, number).unwrap();
    }
    assert_eq!(add(&mut list, &alice, 9), Err(DeviceListError::TooManyDevices));
    for number in 1..=7 {
        remove(&mut list, &alice, number).unwrap();
    }
    for number in 9..=128 {
        add(&mut list, &alice, number).unwrap();
        remove(&mut list, &alice, number).unwrap();
    }
    add(&mut list, &alice, 129).unwrap();
    assert_eq!(list.len(), ENTRIES);
    assert_eq!(remove(&mut list, &alice, 129), Err(DeviceListError::TooLong));
    let too_many = vec![list.entries()[0].clone(); ENTRIES + 1];
    assert_eq!(DeviceList::verify(&too_many, alice.id, &alice.key.public()).unwrap_err(), DeviceListError::TooLong);
}
