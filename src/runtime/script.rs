//! Keystrokes from a file, for the drill without a terminal.
//!
//! One step a line: `key NAME…`, `type TEXT`, `wait SECONDS TEXT`, `out SECONDS` (until the drill's intruder is out),
//! `show` (prints the screen). `#` begins a comment.

use std::collections::VecDeque;

use crate::app::keys::Key;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Press a key.
    Key(Key),
    /// Wait until the text is on the screen.
    Wait {
        /// At most so long.
        seconds: u64,
        /// For this.
        text: String,
    },
    /// Wait until the intruder is out.
    Out {
        /// At most so long.
        seconds: u64,
    },
    /// Print the screen.
    Show,
}

/// A line that is no step.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "line {line}: {problem}\n  way out: `key NAME…`, `type TEXT`, `wait SECONDS TEXT`, `out SECONDS`, `show`"
)]
pub struct ScriptError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a script.
pub fn parse(text: &str) -> Result<VecDeque<Step>, ScriptError> {
    let mut steps = VecDeque::new();
    for (i, line) in text.lines().enumerate() {
        let fail = |problem: String| ScriptError {
            line: i + 1,
            problem,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let seconds = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| fail(format!("`{text}` is no number of seconds")))
        };
        match word {
            "key" => {
                for name in rest.split_whitespace() {
                    // A letter means itself; how the name of a key is written is no matter.
                    let named = name.chars().count() > 1;
                    let key = Key::parse(name)
                        .or_else(|| Key::parse(&name.to_lowercase()).filter(|_| named))
                        .ok_or_else(|| {
                            fail(format!("`{name}` is no key; `stanch keys` names them"))
                        })?;
                    steps.push_back(Step::Key(key));
                }
            }
            "type" => steps.extend(rest.chars().map(|c| Step::Key(Key::char(c)))),
            "wait" => {
                let (s, text) = rest
                    .split_once(' ')
                    .ok_or_else(|| fail("`wait` needs seconds and a text".into()))?;
                steps.push_back(Step::Wait {
                    seconds: seconds(s)?,
                    text: text.to_owned(),
                });
            }
            "out" => steps.push_back(Step::Out {
                seconds: seconds(rest)?,
            }),
            "show" => steps.push_back(Step::Show),
            _ => return Err(fail(format!("`{word}` is no step"))),
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_people_write_them() {
        assert_eq!(
            parse("key Tab ENTER Esc").unwrap(),
            parse("key tab enter esc").unwrap()
        );
        // A letter means itself.
        assert_ne!(parse("key g").unwrap(), parse("key G").unwrap());
        assert!(
            parse("key Nope")
                .unwrap_err()
                .to_string()
                .contains("`Nope` is no key")
        );
    }

    #[test]
    fn reads_every_step() {
        let steps = parse("# c\nkey j ctrl-l\ntype ab\nwait 5 svc deploy\nout 9\nshow\n").unwrap();
        assert_eq!(steps.len(), 7);
        assert_eq!(
            steps[4],
            Step::Wait {
                seconds: 5,
                text: "svc deploy".into()
            }
        );
    }

    #[test]
    fn a_mistake_names_its_line() {
        assert_eq!(parse("key j\nkye j").unwrap_err().line, 2);
        assert!(
            parse("key hyper-x")
                .unwrap_err()
                .problem
                .contains("hyper-x")
        );
        assert!(parse("wait x y").unwrap_err().problem.contains("`x`"));
    }
}
