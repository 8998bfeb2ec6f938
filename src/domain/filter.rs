//! Which alerts somebody asks for: `sev>=high owner:payments -state:closed key~AKIA* text`.
//!
//! Terms stand beside each other and must all hold; `-` in front turns one around; quotes keep spaces together. A word
//! without a field is looked for in everything that the queue shows of an alert and in its id. Case never matters.

use std::ops::Range;

use super::vocabulary::{ActionPattern, IdentityKind, Severity};

/// How long a filter may be, in bytes. Nobody types more; somebody may paste it.
pub const LONGEST: usize = 1_024;

/// Everything that is asked for. Empty asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// All of these hold.
    pub terms: Vec<Term>,
}

impl Filter {
    /// Tells whether this lets nothing through that another does not: the same with more behind it, as when somebody types
    /// on. Only what an alert itself says is the same a moment later, so that nothing else counts.
    pub fn narrows(&self, other: &Self) -> bool {
        let is_in = |theirs: &Term, mine: &Term| match (&theirs.test, &mine.test) {
            (Test::Text(theirs), Test::Text(longer)) if !mine.negated => longer.contains(theirs),
            (Test::Text(_) | Test::Severity(..) | Test::Pattern(_) | Test::Hygiene(_), _) => {
                theirs.test == mine.test
            }
            _ => false,
        };
        let both = || other.terms.iter().zip(&self.terms);
        other.terms.len() <= self.terms.len()
            && both().all(|(theirs, mine)| theirs.negated == mine.negated && is_in(theirs, mine))
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether it must not hold.
    pub negated: bool,
    /// What is looked at.
    pub test: Test,
}

/// What a term looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Anything shown contains this text; lower case.
    Text(String),
    /// A name.
    Name(Field, Match),
    /// A severity; an alert without one counts as none of them.
    Severity(Order, Severity),
    /// A count.
    Number(Counted, Order, u64),
    /// What happened.
    Pattern(Vec<ActionPattern>),
    /// What kind of identity.
    Kind(IdentityKind),
    /// How the alert stands.
    State(State),
    /// Whether it is routine.
    Hygiene(bool),
    /// Who has taken it, or was given it.
    Analyst(Match),
}

/// A name of an alert, or of the identity that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The alert's id.
    Id,
    /// The identity's name or native id.
    Identity,
    /// The provider of the identity.
    Provider,
    /// Anything that names access: the native id, what was touched, the credentials of the identity.
    Key,
    /// Any owner or contact of the identity.
    Owner,
    /// Where the identity lives.
    Environment,
    /// The alert source.
    Source,
    /// What was touched.
    Target,
    /// The title.
    Title,
    /// The source's own name of the event.
    Action,
    /// The incident that the source puts it under.
    Incident,
    /// Whoever else has access through it: who holds its consents, who uses or keeps its credentials.
    Vendor,
}

/// A number of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Confidence in percent.
    Confidence,
    /// How often it came.
    Count,
    /// Seconds since the exposure began.
    Age,
}

/// How a value compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The same.
    Is,
    /// More.
    Above,
    /// The same or more.
    AtLeast,
    /// Less.
    Below,
    /// The same or less.
    AtMost,
}

impl Order {
    /// Compares.
    pub fn holds<T: PartialOrd>(self, value: &T, wanted: &T) -> bool {
        match self {
            Self::Is => value == wanted,
            Self::Above => value > wanted,
            Self::AtLeast => value >= wanted,
            Self::Below => value < wanted,
            Self::AtMost => value <= wanted,
        }
    }
}

/// How a name is meant. The texts are lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It contains this.
    Contains(String),
    /// It is exactly this.
    Is(String),
    /// All of it looks like this; `*` stands for any text, `?` for one character.
    Like(String),
}

impl Match {
    /// Tells whether a name is meant.
    pub fn means(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        match self {
            Self::Contains(text) => name.contains(text),
            Self::Is(text) => name == *text,
            Self::Like(pattern) => is_like(&name, pattern),
        }
    }
}

/// Compares with a pattern of `*` and `?`, in time of at most the product of the lengths.
fn is_like(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) =
        (name.chars().collect(), pattern.chars().collect());
    let (mut n, mut p) = (0, 0);
    // Where the last `*` stood, and up to where it takes the name.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == name[n]) {
            (n, p) = (n + 1, p + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (n, p) = (taken + 1, at + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How an alert stands, as far as one filters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Neither closed nor dismissed.
    Open,
    /// Closed or dismissed.
    Over,
    /// Exactly this word of the queue; see [`STATES`].
    Word(&'static str),
}

/// The words that the queue uses.
pub const STATES: &[&str] = &[
    "new",
    "claimed",
    "asked",
    "acting",
    "unknown",
    "failed",
    "requested",
    "undone",
    "reopened",
    "partly",
    "proven",
    "closed",
    "dismissed",
    "snoozed",
    "resolved",
];

/// What cannot be used of a filter: where, and why with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {}: {problem}", at.start + 1)]
pub struct FilterError {
    /// Which characters.
    pub at: Range<usize>,
    /// What is wrong, and what is possible.
    pub problem: String,
}

const FIELDS: &[(&str, What)] = &[
    ("sev", What::Severity),
    ("severity", What::Severity),
    ("conf", What::Number(Counted::Confidence)),
    ("confidence", What::Number(Counted::Confidence)),
    ("count", What::Number(Counted::Count)),
    ("age", What::Number(Counted::Age)),
    ("pattern", What::Pattern),
    ("kind", What::Kind),
    ("state", What::State),
    ("is", What::Is),
    ("by", What::Analyst),
    ("id", What::Name(Field::Id)),
    ("identity", What::Name(Field::Identity)),
    ("provider", What::Name(Field::Provider)),
    ("key", What::Name(Field::Key)),
    ("owner", What::Name(Field::Owner)),
    ("env", What::Name(Field::Environment)),
    ("source", What::Name(Field::Source)),
    ("target", What::Name(Field::Target)),
    ("title", What::Name(Field::Title)),
    ("action", What::Name(Field::Action)),
    ("incident", What::Name(Field::Incident)),
    ("vendor", What::Name(Field::Vendor)),
];

#[derive(Clone, Copy)]
enum What {
    Severity,
    Number(Counted),
    Pattern,
    Kind,
    State,
    Is,
    Analyst,
    Name(Field),
}

/// Returns the names of all fields, for help.
pub fn fields() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(name, _)| *name)
}

impl Filter {
    /// Reads a filter; anything that cannot be used is an error.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        match Self::typed(text) {
            (filter, None) => Ok(filter),
            (_, Some(error)) => Err(error),
        }
    }

    /// Reads what is typed so far: every term that can be used, and the first that cannot.
    pub fn typed(text: &str) -> (Self, Option<FilterError>) {
        let mut filter = Self::default();
        if text.len() > LONGEST {
            let problem = format!("a filter has at most {LONGEST} bytes");
            return (filter, Some(FilterError { at: 0..1, problem }));
        }
        let mut first = None;
        for word in words(text) {
            match term(&word) {
                Ok(term) => filter.terms.extend(term),
                Err(problem) => {
                    first = first.or(Some(FilterError {
                        at: word.at,
                        problem,
                    }));
                }
            }
        }
        (filter, first)
    }

    /// Tells whether it asks for all.
    pub const fn is_all(&self) -> bool {
        self.terms.is_empty()
    }
}

/// One term as written.
struct Word {
    at: Range<usize>,
    /// Its characters, each with whether it stood in quotes.
    chars: Vec<(char, bool)>,
    /// Whether a quote was not closed.
    open: bool,
}

impl Word {
    fn text(&self, from: usize) -> String {
        self.chars[from..].iter().map(|(c, _)| *c).collect()
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut word: Option<Word> = None;
    let mut quoted = false;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() && !quoted {
            found.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_with(|| Word {
            at: at..at,
            chars: Vec::new(),
            open: false,
        });
        word.at.end = at + 1;
        if c == '"' {
            quoted = !quoted;
        } else {
            word.chars.push((c, quoted));
        }
        word.open = quoted;
    }
    found.extend(word);
    found
}

/// Reads a term; `None` for one that says nothing, such as empty quotes.
fn term(word: &Word) -> Result<Option<Term>, String> {
    if word.open {
        return Err("the quote is not closed".to_owned());
    }
    let negated = word.chars.len() > 1 && word.chars[0] == ('-', false);
    let from = usize::from(negated);
    let is_sign = |(c, quoted): &(char, bool)| !quoted && ":=~<>".contains(*c);
    let Some(sign) = word.chars[from..].iter().position(is_sign) else {
        let text = word.text(from).to_lowercase();
        let test = Test::Text(text.clone());
        return Ok((!text.is_empty()).then_some(Term { negated, test }));
    };
    let name: String = word.chars[from..from + sign]
        .iter()
        .map(|(c, _)| *c)
        .collect();
    let Some((_, what)) = FIELDS
        .iter()
        .find(|(field, _)| name.eq_ignore_ascii_case(field))
    else {
        let all: Vec<&str> = fields().collect();
        let all = all.join(", ");
        return Err(format!(
            "no field `{name}`; there are {all}; quotes make it plain text"
        ));
    };
    let at = from + sign;
    let double =
        matches!(word.chars[at].0, '<' | '>') && word.chars.get(at + 1) == Some(&('=', false));
    let value = word.text(at + 1 + usize::from(double));
    if value.is_empty() {
        return Err(format!("`{name}` needs a value"));
    }
    let sign = match (word.chars[at].0, double) {
        (':', _) => Sign::Has,
        ('~', _) => Sign::Like,
        ('<', false) => Sign::Compares(Order::Below),
        ('<', true) => Sign::Compares(Order::AtMost),
        ('>', false) => Sign::Compares(Order::Above),
        ('>', true) => Sign::Compares(Order::AtLeast),
        _ => Sign::Compares(Order::Is),
    };
    let test = test(*what, &name, sign, &value)?;
    Ok(Some(Term { negated, test }))
}

#[derive(Clone, Copy)]
enum Sign {
    Has,
    Like,
    Compares(Order),
}

impl Sign {
    /// Returns how a rank compares.
    fn order(self, name: &str) -> Result<Order, String> {
        match self {
            Self::Has => Ok(Order::Is),
            Self::Compares(order) => Ok(order),
            Self::Like => Err(format!(
                "`{name}` takes `:`, `=`, `<`, `<=`, `>` or `>=`, not `~`"
            )),
        }
    }

    /// Refuses what makes no sense for a word of a list.
    fn must_be_plain(self, name: &str) -> Result<(), String> {
        match self {
            Self::Has | Self::Compares(Order::Is) => Ok(()),
            _ => Err(format!("`{name}` takes `:` or `=`")),
        }
    }
}

fn test(what: What, name: &str, sign: Sign, value: &str) -> Result<Test, String> {
    Ok(match what {
        What::Severity => Test::Severity(sign.order(name)?, severity(value)?),
        What::Number(counted) => Test::Number(counted, sign.order(name)?, number(counted, value)?),
        What::Pattern => {
            sign.must_be_plain(name)?;
            Test::Pattern(patterns(value)?)
        }
        What::Kind => {
            sign.must_be_plain(name)?;
            let kind = IdentityKind::parse(&value.to_lowercase());
            Test::Kind(kind.ok_or_else(|| {
                no_such("kind", value, IdentityKind::ALL.iter().map(|k| k.as_str()))
            })?)
        }
        What::State => {
            sign.must_be_plain(name)?;
            Test::State(state(value)?)
        }
        What::Is => {
            sign.must_be_plain(name)?;
            Test::Hygiene(is_hygiene(value)?)
        }
        What::Analyst => Test::Analyst(name_match(name, sign, value)?),
        What::Name(field) => Test::Name(field, name_match(name, sign, value)?),
    })
}

fn name_match(name: &str, sign: Sign, value: &str) -> Result<Match, String> {
    let value = value.to_lowercase();
    match sign {
        Sign::Has => Ok(Match::Contains(value)),
        Sign::Like => Ok(Match::Like(value)),
        Sign::Compares(Order::Is) => Ok(Match::Is(value)),
        Sign::Compares(_) => Err(format!("`{name}` takes `:`, `=` or `~`")),
    }
}

fn severity(value: &str) -> Result<Severity, String> {
    let value = value.to_lowercase();
    let begins = |s: &&Severity| s.as_str().starts_with(&value);
    let found = Severity::ALL.iter().find(begins).copied();
    found.ok_or_else(|| no_such("severity", &value, Severity::ALL.iter().map(|s| s.as_str())))
}

/// A word names every pattern that contains it, so that `pattern:credential` finds them all.
fn patterns(value: &str) -> Result<Vec<ActionPattern>, String> {
    let value = value.to_lowercase();
    if let Some(one) = ActionPattern::parse(&value) {
        return Ok(vec![one]);
    }
    let found: Vec<ActionPattern> = ActionPattern::ALL
        .iter()
        .copied()
        .filter(|p| p.as_str().contains(&value))
        .collect();
    if found.is_empty() {
        return Err(no_such(
            "pattern",
            &value,
            ActionPattern::ALL.iter().map(|p| p.as_str()),
        ));
    }
    Ok(found)
}

fn state(value: &str) -> Result<State, String> {
    let value = value.to_lowercase();
    match value.as_str() {
        "open" => Ok(State::Open),
        "over" => Ok(State::Over),
        word => STATES
            .iter()
            .find(|s| **s == word)
            .map(|s| State::Word(s))
            .ok_or_else(|| {
                no_such(
                    "state",
                    word,
                    ["open", "over"].into_iter().chain(STATES.iter().copied()),
                )
            }),
    }
}

fn is_hygiene(value: &str) -> Result<bool, String> {
    match value.to_lowercase().as_str() {
        "urgent" => Ok(false),
        "hygiene" => Ok(true),
        other => Err(no_such("class", other, ["urgent", "hygiene"].into_iter())),
    }
}

/// Reads a span of time such as `30s`, `5m`, `2h`, `3d` or `1w`, in seconds.
pub fn span_s(text: &str) -> Result<u64, String> {
    number(Counted::Age, text)
}

fn number(counted: Counted, value: &str) -> Result<u64, String> {
    let end = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let (digits, unit) = value.split_at(end);
    let factor = match (counted, unit) {
        (Counted::Age, "s") | (Counted::Count, "") | (Counted::Confidence, "" | "%") => Some(1),
        (Counted::Age, "m") => Some(60),
        (Counted::Age, "h") => Some(60 * 60),
        (Counted::Age, "d") => Some(24 * 60 * 60),
        (Counted::Age, "w") => Some(7 * 24 * 60 * 60),
        _ => None,
    };
    let read = || digits.parse::<u64>().ok()?.checked_mul(factor?);
    read().ok_or_else(|| match counted {
        Counted::Age => format!("`{value}` is no span; write 30s, 5m, 2h, 3d or 1w"),
        Counted::Count | Counted::Confidence => format!("`{value}` is no number"),
    })
}

fn no_such<'w>(what: &str, value: &str, words: impl Iterator<Item = &'w str>) -> String {
    let all: Vec<&str> = words.collect();
    format!("no {what} `{value}`; there are {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn one(text: &str) -> Test {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.terms.len(), 1, "{text}");
        filter.terms[0].test.clone()
    }

    #[rstest]
    #[case("SVC-Deploy", Test::Text("svc-deploy".into()))]
    #[case("\"two words\"", Test::Text("two words".into()))]
    #[case("\"sev:x\"", Test::Text("sev:x".into()))]
    #[case("a-b", Test::Text("a-b".into()))]
    #[case("sev>=high", Test::Severity(Order::AtLeast, Severity::High))]
    #[case("sev:crit", Test::Severity(Order::Is, Severity::Critical))]
    #[case("severity<med", Test::Severity(Order::Below, Severity::Medium))]
    #[case("conf>=50%", Test::Number(Counted::Confidence, Order::AtLeast, 50))]
    #[case("count>3", Test::Number(Counted::Count, Order::Above, 3))]
    #[case("age<=2h", Test::Number(Counted::Age, Order::AtMost, 7_200))]
    #[case("pattern:token_replay", Test::Pattern(vec![ActionPattern::TokenReplay]))]
    #[case("kind=api_token", Test::Kind(IdentityKind::ApiToken))]
    #[case("state:open", Test::State(State::Open))]
    #[case("state:FAILED", Test::State(State::Word("failed")))]
    #[case("owner:Payments", Test::Name(Field::Owner, Match::Contains("payments".into())))]
    #[case("owner:\"Team A\"", Test::Name(Field::Owner, Match::Contains("team a".into())))]
    #[case("key~AKIA*", Test::Name(Field::Key, Match::Like("akia*".into())))]
    #[case("source=siem", Test::Name(Field::Source, Match::Is("siem".into())))]
    fn terms_mean(#[case] text: &str, #[case] want: Test) {
        assert_eq!(one(text), want);
    }

    #[test]
    fn many_terms_and_negation() {
        let filter =
            Filter::parse("  sev>=high owner:payments -state:closed key~AKIA* text ").unwrap();
        let negated: Vec<bool> = filter.terms.iter().map(|t| t.negated).collect();
        assert_eq!(negated, [false, false, true, false, false]);
        assert!(Filter::parse(" \"\" ").unwrap().is_all());
    }

    #[rstest]
    #[case("ab", "a", true)]
    #[case("ba", "a", true)]
    #[case("a", "a", true)]
    #[case("a b", "a", true)]
    #[case("sev:low age>5m", "sev:low", true)]
    #[case("a", "ab", false)]
    #[case("b", "a", false)]
    #[case("-ab", "-a", false)]
    #[case("-a", "a", false)]
    #[case("b a", "a", false)]
    #[case("sev:high", "sev:low", false)]
    // What others do changes these at any time.
    #[case("state:new a", "state:new", false)]
    #[case("owner:ab", "owner:a", false)]
    fn typing_on_narrows(#[case] text: &str, #[case] before: &str, #[case] is: bool) {
        let parse = |text| Filter::parse(text).unwrap();
        assert_eq!(parse(text).narrows(&parse(before)), is);
    }

    #[rstest]
    #[case("sev>=hihg", 0..9, "no severity `hihg`; there are info")]
    #[case("text colour:red", 5..15, "no field `colour`; there are sev")]
    #[case("sev>=", 0..5, "`sev` needs a value")]
    #[case("sev~high", 0..8, "not `~`")]
    #[case("age>5", 0..5, "no span; write 30s")]
    #[case("count>99999999999999999999", 0..26, "is no number")]
    #[case("state:gone", 0..10, "there are open, over, new")]
    #[case("owner>a", 0..7, "`owner` takes `:`, `=` or `~`")]
    #[case("pattern:zzz", 0..11, "no pattern `zzz`")]
    #[case("a \"b", 2..4, "the quote is not closed")]
    #[case("é colour:red", 2..12, "no field")]
    fn mistakes_point_at_the_place(
        #[case] text: &str,
        #[case] at: Range<usize>,
        #[case] want: &str,
    ) {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(error.at, at);
        assert!(error.problem.contains(want), "{error}");
    }

    #[test]
    fn what_can_be_used_while_typing_is_used() {
        let (filter, error) = Filter::typed("text sev>=");
        assert_eq!(filter, Filter::parse("text").unwrap());
        assert_eq!(error.unwrap().to_string(), "column 6: `sev` needs a value");
    }

    #[rstest]
    #[case("*", "", true)]
    #[case("akia*", "AKIA1234", true)]
    #[case("akia*", "xAKIA", false)]
    #[case("*-deploy", "svc-deploy", true)]
    #[case("a?c", "abc", true)]
    #[case("a?c", "ac", false)]
    #[case("*a*b*", "xxaxxbxx", true)]
    #[case("a*a", "a", false)]
    #[case("", "", true)]
    #[case("", "a", false)]
    fn patterns_match(#[case] pattern: &str, #[case] name: &str, #[case] want: bool) {
        assert_eq!(Match::Like(pattern.into()).means(name), want);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_columns_lie_inside(text in "[a-z:=<>~\"é -]{0,40}") {
            if let (_, Some(error)) = Filter::typed(&text) {
                prop_assert!(error.at.start < error.at.end && error.at.end <= text.chars().count());
            }
        }

        #[test]
        fn a_pattern_without_stars_is_the_name(name in "[a-z0-9]{0,12}", other in "[a-z0-9]{0,12}") {
            prop_assert!(Match::Like(name.clone()).means(&name));
            prop_assert_eq!(Match::Like(name.clone()).means(&other), name == other);
        }

        #[test]
        fn stars_mean_what_a_slow_search_means(name in "[ab]{0,10}", pattern in "[ab*?]{0,6}") {
            fn slow(n: &[u8], p: &[u8]) -> bool {
                match (n, p) {
                    (_, [b'*', rest @ ..]) => (0..=n.len()).any(|i| slow(&n[i..], rest)),
                    ([_, n @ ..], [b'?', rest @ ..]) => slow(n, rest),
                    ([a, n @ ..], [b, rest @ ..]) => a == b && slow(n, rest),
                    (n, []) => n.is_empty(),
                    ([], _) => false,
                }
            }
            prop_assert_eq!(Match::Like(pattern.clone()).means(&name), slow(name.as_bytes(), pattern.as_bytes()));
        }
    }
}
