//! A text that is looked for in very many short texts, whatever its case.

/// Letters from common to rare, as they stand in what people and programs write into a log.
const COMMON: &[u8] = b"etaoinsrldcupmvgfyhbkwxjzq";

/// A text to look for.
#[derive(Clone, Debug)]
pub struct Needle {
    lower: String,
    /// Where its rarest byte stands: places that hold that one are few.
    rare: usize,
    ascii: bool,
}

impl Needle {
    /// Prepares to look for a text that is lower case.
    pub fn new(lower: &str) -> Self {
        let bytes = lower.as_bytes();
        let rare = (0..bytes.len())
            .max_by_key(|at| rarity(bytes[*at]))
            .unwrap_or(0);
        Self {
            lower: lower.to_owned(),
            rare,
            ascii: lower.is_ascii(),
        }
    }

    /// Tells whether a text contains it.
    pub fn is_in(&self, text: &str) -> bool {
        if !self.ascii {
            // Plain text, which is nearly all, cannot contain it.
            return !text.is_ascii() && text.to_lowercase().contains(&self.lower);
        }
        let (hay, needle) = (text.as_bytes(), self.lower.as_bytes());
        let Some(rare) = needle.get(self.rare) else {
            return true;
        };
        // Its first byte can stand no later than where the rest still fits, so nor can its rarest.
        let Some(last) = (hay.len() + self.rare + 1).checked_sub(needle.len()) else {
            return false;
        };
        let Some(places) = hay.get(self.rare..last) else {
            return false;
        };
        memchr::memchr2_iter(*rare, rare.to_ascii_uppercase(), places)
            .any(|at| hay[at..at + needle.len()].eq_ignore_ascii_case(needle))
    }
}

fn rarity(byte: u8) -> usize {
    match byte {
        b' ' => 0,
        b'a'..=b'z' => 2 + COMMON.iter().position(|c| *c == byte).unwrap_or(0),
        b'-' | b'_' | b'/' | b':' | b'.' => 5,
        b'0'..=b'9' => 8,
        _ => 40,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::Needle;

    #[rstest]
    #[case("Revoke_Tokens on sso:Svc", "tokens", true)]
    #[case("Revoke_Tokens on sso:Svc", "svc", true)]
    #[case("Revoke_Tokens on sso:Svc", "rev", true)]
    #[case("Revoke_Tokens on sso:Svc", "svcs", false)]
    #[case("ab", "abc", false)]
    #[case("", "a", false)]
    #[case("anything", "", true)]
    #[case("Çelik noted", "çelik", true)]
    #[case("Çelik noted", "noted", true)]
    #[case("celik noted", "çelik", false)]
    fn finds_whatever_the_case(#[case] text: &str, #[case] needle: &str, #[case] there: bool) {
        assert_eq!(Needle::new(needle).is_in(text), there);
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(text in "[a-cA-C0-1 ]{0,40}", needle in "[a-c0-1 ]{0,4}") {
            prop_assert_eq!(Needle::new(&needle).is_in(&text), text.to_lowercase().contains(&needle));
        }
    }
}
