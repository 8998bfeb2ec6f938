//! A verdict as a block of text that can be pasted from one host to another where nothing else is shared (`LOG` §3.7): a
//! C2SP signed note by the key that signs the log of whoever gives it.

use jiff::Timestamp;

use super::note::{self, Verifier};
use crate::domain::decision::Approval;
use crate::domain::ids::PlanDigest;
use crate::domain::plan::write_ascii_string;

const BEGIN: &str = "-----BEGIN STANCH VERDICT-----";
const END: &str = "-----END STANCH VERDICT-----";
/// First line of what is signed.
const HEAD: &str = "stanch verdict v1";
/// Longest block that is read, in bytes.
pub const MAX_BLOCK: usize = 16 * 1024;

/// A verdict that was given on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictBlock {
    /// On which plan.
    pub digest: PlanDigest,
    /// Yes or no.
    pub approved: bool,
    /// When it was given.
    pub at: Timestamp,
    /// When the plan can no longer be run.
    pub expires: Timestamp,
    /// The key that signs it, as `origin+id+base64`.
    pub key: String,
    /// Why.
    pub reason: Option<String>,
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// No block.
    #[error("there is no line `{BEGIN}` with one `{END}` after it")]
    None,
    /// Too long.
    #[error("the block is longer than {MAX_BLOCK} bytes")]
    Long,
    /// Not the text that is signed.
    #[error("line {0} of the block is not what a verdict says")]
    Line(usize),
    /// The signature is not by the key that it names.
    #[error(
        "the signature is not by the key that the block names; it was changed, or not copied as a whole"
    )]
    Signature,
}

impl VerdictBlock {
    /// Returns the text that is signed.
    pub fn text(&self) -> String {
        let verdict = if self.approved { "approve" } else { "reject" };
        let mut reason = Vec::new();
        write_ascii_string(self.reason.as_deref().unwrap_or_default(), &mut reason);
        // Only ASCII is written.
        let reason = String::from_utf8(reason).unwrap_or_default();
        format!(
            "{HEAD}\n{verdict} {}\nat {}\nexpires {}\nkey {}\nreason {reason}\n",
            self.digest.as_str(),
            self.at,
            self.expires,
            self.key,
        )
    }

    /// Puts what was signed between lines that show where it begins and ends.
    pub fn wrap(signed: &str) -> String {
        format!("{BEGIN}\n{signed}{END}\n")
    }

    /// Finds the block in a text, checks its signature, and returns it with the signed note.
    pub fn find(text: &str) -> Result<(Self, String), BlockError> {
        let text = text.replace('\r', "");
        let (_, after) = text.split_once(BEGIN).ok_or(BlockError::None)?;
        let (inside, _) = after.split_once(END).ok_or(BlockError::None)?;
        // A terminal or a mail may indent what is pasted, and end lines with spaces.
        let lines: Vec<&str> = inside.trim().lines().map(str::trim).collect();
        let signed = lines.join("\n") + "\n";
        Ok((Self::read(&signed)?, signed))
    }

    /// Reads a signed note, and checks that the key it names signed it.
    pub fn read(signed: &str) -> Result<Self, BlockError> {
        if signed.len() > MAX_BLOCK {
            return Err(BlockError::Long);
        }
        let (text, _) = note::split(signed).ok_or(BlockError::Signature)?;
        let lines: Vec<&str> = text.lines().collect();
        let field = |at: usize, name: &str| {
            let line = lines.get(at).and_then(|line| line.strip_prefix(name));
            line.ok_or(BlockError::Line(at + 1))
        };
        field(0, HEAD)?;
        let approved = field(1, "approve ").is_ok();
        let digest = field(1, if approved { "approve " } else { "reject " })?;
        let time = |at, name| {
            let text: &str = field(at, name)?;
            text.parse::<Timestamp>()
                .map_err(|_| BlockError::Line(at + 1))
        };
        let reason: String =
            serde_json::from_str(field(5, "reason ")?).map_err(|_| BlockError::Line(6))?;
        let block = Self {
            digest: PlanDigest::new(digest),
            approved,
            at: time(2, "at ")?,
            expires: time(3, "expires ")?,
            key: field(4, "key ")?.to_owned(),
            reason: Some(reason).filter(|reason| !reason.is_empty()),
        };
        // One text for one verdict: nothing else can stand in it.
        if block.text() != text {
            return Err(BlockError::Line(lines.len()));
        }
        let by = Verifier::from_vkey(&block.key).ok_or(BlockError::Line(5))?;
        by.open(signed).ok_or(BlockError::Signature)?;
        Ok(block)
    }
}

/// Returns the key that signs the verdict which a record holds as evidence, if the record says what the block says.
pub fn signer_of(approval: &Approval) -> Option<String> {
    let block = VerdictBlock::read(approval.block.as_deref()?).ok()?;
    let same = block.digest == approval.digest && block.approved == approval.approved;
    same.then_some(block.key)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use rstest::rstest;

    use super::*;

    fn signed(reason: Option<&str>) -> (VerdictBlock, String) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let name = "soc.example/jump2/mira";
        let verifier = Verifier {
            name: name.to_owned(),
            key: key.verifying_key(),
        };
        let block = VerdictBlock {
            digest: PlanDigest::new("ab".repeat(32)),
            approved: reason.is_none(),
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            expires: Timestamp::from_second(1_800_000_900).unwrap(),
            key: verifier.to_vkey(),
            reason: reason.map(str::to_owned),
        };
        let note = note::sign(&block.text(), name, &key);
        (block, VerdictBlock::wrap(&note))
    }

    #[rstest]
    #[case(None)]
    #[case(Some("not now:\n\"month end\" \u{202e}"))]
    fn a_block_comes_back_as_it_was_given(#[case] reason: Option<&str>) {
        let (block, text) = signed(reason);
        assert!(!text.contains('\u{202e}'));
        let pasted = format!("mira wrote:\r\n\r\n  {}", text.replace('\n', "\r\n  "));
        assert_eq!(VerdictBlock::find(&pasted).unwrap().0, block);
    }

    #[test]
    fn whatever_is_changed_in_it_is_found() {
        let (block, text) = signed(None);
        let inside = BEGIN.len()..text.len() - END.len() - 1;
        for at in inside {
            let mut bytes = text.clone().into_bytes();
            if bytes[at].is_ascii_alphanumeric() {
                bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
                let changed = String::from_utf8(bytes).unwrap();
                assert!(VerdictBlock::find(&changed).is_err(), "byte {at}");
            }
        }
        let approval = |digest: &PlanDigest, approved| Approval {
            digest: digest.clone(),
            approved,
            by: None,
            reason: None,
            block: Some(VerdictBlock::find(&text).unwrap().1),
        };
        assert_eq!(
            signer_of(&approval(&block.digest, true)),
            Some(block.key.clone())
        );
        assert_eq!(signer_of(&approval(&block.digest, false)), None);
        assert_eq!(signer_of(&approval(&PlanDigest::new("other"), true)), None);
    }

    #[rstest]
    #[case("", BlockError::None)]
    #[case("-----BEGIN STANCH VERDICT-----\n", BlockError::None)]
    #[case(
        "-----BEGIN STANCH VERDICT-----\nx\n-----END STANCH VERDICT-----",
        BlockError::Signature
    )]
    fn what_is_no_block_is_said(#[case] text: &str, #[case] want: BlockError) {
        assert_eq!(VerdictBlock::find(text).unwrap_err(), want);
    }
}
