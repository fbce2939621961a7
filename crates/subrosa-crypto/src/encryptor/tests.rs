//! `rsa` against itself and against somebody in between. (All encryptors against all links: the contract suite of
//! `subrosa-direct`.)

use super::*;
use crate::fixtures::rng;

const CONTEXT: [u8; 32] = [5; 32];

fn pair() -> (Rsa, Rsa) {
    (Rsa::new(Box::new(rng(1))), Rsa::new(Box::new(rng(2))))
}

fn begin(encryptor: &mut Rsa, side: Side, context: &[u8; 32]) -> Step {
    let (own, peer) = (SigningKey::generate(&mut rng(3)), SigningKey::generate(&mut rng(4)).public());
    encryptor.begin(Parties { side, own: &own, peer: &peer, context }).unwrap()
}

fn sent(step: Step) -> Vec<u8> {
    match step {
        Step::Send(message) | Step::SendAndDone(message) => message,
        other => panic!("nothing to send: {other:?}"),
    }
}

fn agreed() -> (Rsa, Rsa) {
    agreed_by(pair().0)
}

fn agreed_by(mut dialer: Rsa) -> (Rsa, Rsa) {
    let (_, mut listener) = pair();
    assert_eq!(begin(&mut dialer, Side::Dialer, &CONTEXT), Step::Wait);
    let key = sent(begin(&mut listener, Side::Listener, &CONTEXT));
    let secret = sent(dialer.step(&key).unwrap());
    assert_eq!(listener.step(&secret), Ok(Step::Done));
    (dialer, listener)
}

#[test]
fn both_ends_of_an_rsa_agreement_read_each_other() {
    let (mut dialer, mut listener) = agreed();
    for text in [b"one".as_slice(), b"", &[7; PLAINTEXT]] {
        let sealed = dialer.seal(text).unwrap();
        assert_eq!(listener.open(&sealed).unwrap(), text);
        let back = listener.seal(text).unwrap();
        assert_ne!(back, sealed, "each direction has its own key");
        assert_eq!(dialer.open(&back).unwrap(), text);
    }
    assert_eq!(dialer.seal(&[0; PLAINTEXT + 1]), Err(EncryptorError::TooLarge));
}

#[test]
fn an_rsa_record_opens_unchanged_at_its_place_and_once() {
    let (mut dialer, mut listener) = agreed();
    let (first, second) = (dialer.seal(b"first").unwrap(), dialer.seal(b"second").unwrap());
    assert_eq!(listener.open(&second), Err(EncryptorError::Inauthentic), "out of order");
    let (mut dialer, mut listener) = agreed();
    let sealed = dialer.seal(b"first").unwrap();
    assert!(listener.open(&sealed).is_ok());
    assert_eq!(listener.open(&sealed), Err(EncryptorError::Inauthentic), "twice");
    // Another secret; the hellos of another link would be others, too.
    let (_, mut listener) = agreed_by(Rsa::new(Box::new(rng(5))));
    assert_eq!(listener.open(&first), Err(EncryptorError::Inauthentic), "of another link");
    for at in [0, 5, 20] {
        let (mut dialer, mut listener) = agreed();
        let mut changed = dialer.seal(b"first").unwrap();
        changed[at] ^= 1;
        assert_eq!(listener.open(&changed), Err(EncryptorError::Inauthentic), "changed");
    }
}

#[test]
fn an_rsa_secret_is_worth_nothing_in_another_context() {
    let (mut dialer, mut listener) = pair();
    begin(&mut dialer, Side::Dialer, &CONTEXT);
    let key = sent(begin(&mut listener, Side::Listener, &[6; 32]));
    let secret = sent(dialer.step(&key).unwrap());
    assert!(matches!(listener.step(&secret), Err(EncryptorError::Agreement(_))));
    assert_eq!(listener.seal(b"text"), Err(EncryptorError::NoKeys));
}

#[test]
fn a_short_rsa_key_or_none_at_all_is_refused() {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
    let short = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap().public_key();
    let short = AsDer::<PublicKeyX509Der<'_>>::as_der(&short).unwrap();
    for key in [short.as_ref(), b"", b"no key", &[0x30; 400]] {
        let (mut dialer, _) = pair();
        begin(&mut dialer, Side::Dialer, &CONTEXT);
        assert!(matches!(dialer.step(key), Err(EncryptorError::Agreement(_))));
    }
}
