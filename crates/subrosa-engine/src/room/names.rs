//! Readable random names for guests who give none.

use rand_core::CryptoRngCore;
use subrosa_types::Username;

const KINDS: [&str; 32] = [
    "amber", "brave", "bright", "calm", "clever", "cosy", "crisp", "eager", "fair", "fleet", "gentle", "glad",
    "golden", "green", "happy", "honest", "jolly", "keen", "kind", "lively", "lucky", "merry", "mild", "noble",
    "plucky", "quick", "quiet", "silver", "sunny", "swift", "warm", "wise",
];
const ANIMALS: [&str; 32] = [
    "badger", "beaver", "crane", "deer", "dolphin", "falcon", "finch", "fox", "gecko", "hare", "hedgehog", "heron",
    "ibis", "jackdaw", "lark", "lynx", "marten", "mole", "newt", "otter", "owl", "panda", "puffin", "raven", "robin",
    "seal", "sparrow", "stork", "swan", "tern", "toad", "wren",
];

/// An adjective and an animal, like `brave-otter`; with a number behind them (1 to 999) if `numbered`, for a room in which
/// the short ones are taken.
pub fn random(rng: &mut dyn CryptoRngCore, numbered: bool) -> Username {
    let mut pick = |list: &[&'static str; 32]| list[rng.next_u32() as usize % list.len()];
    let (kind, animal) = (pick(&KINDS), pick(&ANIMALS));
    let name =
        if numbered { format!("{kind}-{animal}-{}", rng.next_u32() % 999 + 1) } else { format!("{kind}-{animal}") };
    // Every one of these is a name: a test tries them all.
    Username::from_prepared(&name).unwrap_or_else(|_| unreachable!("a name of this list is a name: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_lists_is_a_name_and_looks_like_no_other() {
        let mut looks = std::collections::BTreeSet::new();
        for kind in KINDS {
            for animal in ANIMALS {
                let name = Username::from_prepared(&format!("{kind}-{animal}")).unwrap();
                assert!(looks.insert(name.skeleton()), "{name}");
                assert!(Username::from_prepared(&format!("{name}-999")).is_ok());
            }
        }
    }
}
