//! Chance and identity, derived from the seed and a name.
//!
//! Each happening draws from a stream of its own, so that what a response changes
//! does not shift the dice of everything after it.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The seed, as a source of named streams and ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance {
    seed: u64,
}

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The dice of one happening.
    pub(crate) fn stream(self, name: &[&str]) -> ChaCha8Rng {
        let mut key = [0_u8; 32];
        key[..16].copy_from_slice(&self.number(name).to_le_bytes());
        ChaCha8Rng::from_seed(key)
    }

    /// A number that belongs to a name.
    pub(crate) fn number(self, name: &[&str]) -> u128 {
        let seed = self.seed.to_le_bytes();
        let mut parts: Vec<&[u8]> = vec![b"simulator", &seed];
        parts.extend(name.iter().map(|part| part.as_bytes()));
        schemas::ids::hash(&parts)
    }

    /// The same number as a UUID.
    pub(crate) fn uuid(self, name: &[&str]) -> String {
        uuid::Builder::from_random_bytes(self.number(name).to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// The same number as text of 32 hexadecimal digits.
    pub(crate) fn hex(self, name: &[&str]) -> String {
        format!("{:032x}", self.number(name))
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;
    use rand::Rng;

    #[test]
    fn names_have_streams_of_their_own() {
        let chance = Chance::new(7);
        let mut first = chance.stream(&["a"]);
        let mut again = chance.stream(&["a"]);
        let mut other = chance.stream(&["b"]);
        let drawn: u64 = first.random();
        assert_eq!(drawn, again.random::<u64>());
        assert_ne!(drawn, other.random::<u64>());
        assert_ne!(chance.uuid(&["a"]), Chance::new(8).uuid(&["a"]));
    }
}
